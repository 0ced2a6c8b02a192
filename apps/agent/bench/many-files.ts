/** A stick of 20,000 small files through scan and rebuild: `node apps/agent/bench/many-files.ts [COUNT]`. Prints seconds
 *  and the memory of our own process; the guest's copy must hold all of them. Without a scanner, so that what is measured
 *  is ours. */
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ok } from "@sallyport/shared/base/result.ts";
import { UsbSection } from "@sallyport/shared/policy/usb.ts";
import { startReader } from "../src/dom0/confine.ts";
import { startRebuild } from "../src/dom0/usb-rebuild.ts";
import { usbVolume } from "../src/dom0/usb-volume.ts";
import { exfatLayout } from "../src/gate/rebuild/exfat.ts";
import { emptyFolder, place } from "../src/gate/rebuild/tree.ts";
import { rebuildImage } from "../src/gate/rebuild.ts";
import { scan } from "../src/gate/scan.ts";

const count = Number(process.argv[2] ?? 20_000);
const folder = mkdtempSync(join(tmpdir(), "sallyport-many-"));
const policy = UsbSection.parse({ unscannable: "allow" });
const seconds = (from: number): string => `${((performance.now() - from) / 1000).toFixed(1)} s`;

try {
  const root = emptyFolder<Buffer>();
  let bytes = 0;
  for (let number = 0; number < count; number++) {
    const content = Buffer.from(`small file ${number}\n`.repeat(1 + (number % 40)));
    place(root, [`folder ${number % 50}`, `file ${number}.txt`], content.length, content);
    bytes += content.length;
  }
  const layout = exfatLayout(root, bytes, { label: "MANY", serial: 1, timeMs: Date.now() });
  const path = join(folder, "stick");
  const fd = openSync(path, "w+");
  ftruncateSync(fd, layout.bytes);
  layout.write((at, part) => void writeSync(fd, part, 0, part.length, at));
  for (const { file, at } of layout.files) writeSync(fd, file, 0, file.length, at);
  closeSync(fd);

  const volume = usbVolume(join(folder, "volume"));
  const signal = new AbortController().signal;
  let from = performance.now();
  const copied = await volume.copy({ node: path, bytes: layout.bytes, onProgress: () => {}, signal });
  await volume.seal(copied);
  process.stdout.write(`copy of ${Math.round(layout.bytes / 1e6)} MB: ${seconds(from)}\n`);
  from = performance.now();
  const options = {
    policy,
    clamd: null,
    start: startReader,
    now: () => new Date(),
    lanes: 2,
    imageSha256: copied.sha256,
  };
  const body = await scan(volume.path(copied.file), options);
  process.stdout.write(`list and hash of ${body.manifest.length} files: ${seconds(from)}\n`);
  from = performance.now();
  const room = { setAside: () => ok(undefined), writes: () => {} };
  const parts = { volume, start: startRebuild, policy, now: Date.now, signal, ...room };
  const made = await rebuildImage({ lun: 0, ...copied }, body.manifest, "verdict", parts);
  process.stdout.write(
    `rebuild of ${made.files} files: ${seconds(from)}; ${Math.round(process.memoryUsage().rss / 1e6)} MB resident\n`,
  );
  if (made.files !== count || body.manifest.length !== count) throw new Error(`${made.files} of ${count} files`);
  await volume.close();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
