/** A stick of the seeded fleet, as records: what was on it, what the gate did with it, and what it waits for. */
import { createHash } from "node:crypto";
import type { Seen } from "../../apps/web/test/seed.ts";

const hex = (text: string, algorithm = "sha256") => createHash(algorithm).update(text).digest("hex");

const STOLEN_STICK = { sha256: hex("stick of the invoice"), size: 31_914_983_424 };
const INVOICE = "Rechnungen/2026/invoice_2026_Q3 final (2).zip!/invoice.scr";
/** A stick from being seen to being pulled out; one that is not bad is held, and asks to pass. */
export function stick(source: string, bad: boolean): Omit<Seen, "agoMs">[] {
  const id = `1-2/0781:5581/${hex(source).slice(0, 8)}`;
  const file = (path: string, size: number, type: string, finding = "clean", detail?: string) => ({
    path,
    size,
    md5: hex(path, "md5"),
    sha256: hex(path),
    type,
    finding,
    ...(detail && { detail }),
  });
  const manifest = [
    ...Array.from({ length: 34 }, (_, at) =>
      file(`Fotos/2026-11/IMG_${4_100 + at}.jpg`, 3_400_000 + at * 7_919, "image/jpeg"),
    ),
    file(
      "Rechnungen/2026/Übersicht Quartal 3 mit allen Anlagen und dem Schriftverkehr, endgültige Fassung.xlsx",
      88_214,
      "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ),
    file("geheim.7z", 5_242_880, "application/x-7z-compressed", "unscannable", "encrypted"),
    ...(bad ? [file(INVOICE, 214_528, "application/x-dosexec", "infected", "Win.Trojan.Agent-6412")] : []),
  ];
  const verdict = bad ? "block" : "hold";
  const reason = bad ? "1 file is infected" : "1 file could not be looked into";
  const scan = {
    source,
    image: bad ? STOLEN_STICK : { sha256: hex(source), size: 7_969_177_600 },
    stick: id,
    verdict,
    reason,
    rule: bad ? "infected" : "unscannable",
    manifest,
    scanner: { engine: "ClamAV 1.4.3", definitions: "27312", date: "2026-11-21T07:31:00.000Z" },
    confined: "bubblewrap",
  };
  const step = (kind: string, text: string, body: object = {}) => ({
    kind,
    severity: "info" as const,
    text,
    body: { stick: id, ...body },
  });
  return [
    step("usb.device", `stick seen on port 1-2, held: one interface 08:06:50, claims serial 4C530001…1217`),
    step("usb.step", "classified: storage, allowed to be read"),
    step("usb.step", "read once and sealed, 362 MB/s", { imageSha256: scan.image.sha256 }),
    {
      kind: "usb.scan",
      severity: bad ? "error" : "warning",
      text: `${source}: ${verdict}, ${manifest.length} files, ${bad ? 1 : 0} infected, 1 unscannable; ${reason}`,
      body: { ...scan, device: id },
    },
    ...(bad ? [] : [asks(source, manifest.length, reason)]),
    step("usb.removed", "removed by the user, 41 s later"),
  ];
}

/** What a held stick waits for: a person who lets exactly these contents pass. */
const asks = (stick: string, files: number, reason: string): Omit<Seen, "agoMs"> => ({
  kind: "usb.request",
  severity: "warning",
  text: `${stick} waits for a person: ${reason}`,
  body: {
    ...{ stick, request: hex(`request ${stick}`), descriptors: hex(`descriptors ${stick}`), device: `${stick}=` },
    ...{ manifest: hex(`manifest ${stick}`), files, rule: "unscannable", reason },
  },
});
