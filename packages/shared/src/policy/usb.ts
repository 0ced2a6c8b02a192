/** The policy's `usb` section: which devices, what becomes of what is found on them, how much is read. */
import { z } from "zod";
import { DefinitionsName } from "../artifact/artifact.ts";
import { Sha256 } from "../base/ids.ts";
import { parseRules } from "../usb/rules/parse.ts";
import { Mode } from "./mode.ts";

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

/** Bounds of archives, added up over one medium. Past one: unscannable. */
export const ArchiveLimits = z.strictObject({
  /** Unpacked bytes of all members together. */
  bytes: z
    .int()
    .min(MIB)
    .max(1024 * GIB)
    .default(4 * GIB),
  /** Unpacked over packed size of one member larger than a mebibyte. */
  ratio: z.int().min(2).max(100_000).default(250),
  /** Members of all archives together. */
  count: z.int().min(1).max(1_000_000).default(50_000),
  /** Archives within archives. */
  depth: z.int().min(1).max(16).default(4),
});
export type ArchiveLimits = z.infer<typeof ArchiveLimits>;

export const ScanLimits = z.strictObject({
  /** Files and folders of one medium. */
  files: z.int().min(1).max(1_000_000).default(200_000),
  /** The whole pass, in seconds. */
  seconds: z.int().min(1).max(86_400).default(7_200),
  /** One file's answer from the scanner, in seconds. */
  fileSeconds: z.int().min(1).max(3_600).default(120),
});
export type ScanLimits = z.infer<typeof ScanLimits>;

/** What a site without rules has: one storage interface and nothing else; bulk-only, UAS, or the one with the other as its
 *  alternate setting, as UAS sticks have it. */
export const STORAGE_RULES = [
  "allow with-interface equals { 08:06:50 }",
  "allow with-interface equals { 08:06:62 }",
  "allow with-interface equals { 08:06:50 08:06:62 }",
];

/** One rule a line, each read here so that no policy holds one that an agent cannot. */
const ruleLines = z
  .array(z.string().max(4096))
  .max(10_000)
  .superRefine((lines, context) => {
    for (const [index, line] of lines.entries()) {
      const parsed = parseRules(line);
      if (parsed.ok) continue;
      const message = `column ${parsed.error.column}: ${parsed.error.message}`;
      context.addIssue({ code: "custom", path: [index], message, input: line });
    }
  });

/** The scanner's definitions as artifacts, whole: what is not named here is not loaded. */
const definitions = z
  .array(z.strictObject({ name: DefinitionsName, sha256: Sha256 }))
  .min(1)
  .max(32)
  .superRefine((files, context) => {
    for (const [index, { name }] of files.entries())
      if (files.findIndex((file) => file.name === name) < index)
        context.addIssue({ code: "custom", path: [index, "name"], message: `${name} is named twice`, input: name });
  });

export const UsbSection = z.strictObject({
  /** `audit`: everything is allowed, and the record says what would have happened. */
  mode: Mode.default("enforce"),
  /** USBGuard's rule language, one rule a line; the first match wins, no match blocks. */
  deviceRules: ruleLines.default(STORAGE_RULES),
  /** Devices that the guest gets themselves, with contents not verified; same language, empty by default. */
  directRules: ruleLines.default([]),
  infected: z.enum(["block", "hold"]).default("block"),
  unscannable: z.enum(["block", "hold", "allow"]).default("hold"),
  /** What the guest gets: a fresh file system of what passed, or the sealed image. Read-only, both. */
  present: z.enum(["rebuild", "image"]).default("rebuild"),
  /** Where the guest gets the image: what becomes of one with bytes that are not zero and lie in no partition, so that
   *  nothing has looked at them. Absent: `hold`. */
  outside: z.enum(["block", "hold", "allow"]).optional(),
  /** sha256 of files that are infected whatever the scanner says. */
  denySha256: z
    .array(z.string().regex(/^[0-9a-f]{64}$/, "a sha256 is 64 hex digits, in lower case"))
    .max(100_000)
    .default([]),
  /** Media types (`application/x-msdownload`, `image/*`) that block. */
  denyTypes: z
    .array(z.string().regex(/^[a-z]+\/(?:\*|[\w.+-]+)$/, "a media type is application/zip or image/*"))
    .max(1_000)
    .default([]),
  /** Definitions older than this are stale: clean becomes unscannable. Null: any age will do. Definitions that name
   *  no date (a site's own) have no age. */
  definitionsDaysMax: z.int().min(1).max(3_650).nullable().default(14),
  /** Absent: what the workstation has. */
  definitions: definitions.optional(),
  /** Whether sticks that wait or are with the guest are scanned again when the scanner's definitions change. Absent: yes. */
  rescan: z.boolean().optional(),
  archives: ArchiveLimits.prefault({}),
  limits: ScanLimits.prefault({}),
});
export type UsbSection = z.infer<typeof UsbSection>;

export const DEFAULT_USB: UsbSection = UsbSection.parse({});
