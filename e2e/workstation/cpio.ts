/** Files → an initramfs in the kernel's "newc" form (Documentation/driver-api/early-userspace/buffer-format.rst). */

export type CpioEntry =
  | { path: string; kind: "file"; mode: number; content: Uint8Array }
  | { path: string; kind: "folder"; mode: number }
  | { path: string; kind: "link"; target: string }
  | { path: string; kind: "character"; mode: number; major: number; minor: number };

const TYPE = { file: 0o100000, folder: 0o040000, link: 0o120000, character: 0o020000 } as const;
const ALIGN = 4;

const padded = (bytes: Uint8Array) => {
  const rest = bytes.length % ALIGN;
  return rest === 0 ? [bytes] : [bytes, new Uint8Array(ALIGN - rest)];
};
const text = (value: string) => new TextEncoder().encode(value);

function member(
  inode: number,
  name: string,
  mode: number,
  content: Uint8Array,
  device: [number, number],
): Uint8Array[] {
  const path = text(`${name}\0`);
  // magic, inode, mode, uid, gid, links, mtime, size, device of the file system (2), of the node (2), name size, check
  const fields = [inode, mode, 0, 0, 1, 0, content.length, 0, 0, ...device, path.length, 0];
  const header = text(`070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`);
  return [...padded(Buffer.concat([header, path])), ...padded(content)];
}

/** Everything belongs to root and has no date, so the same files give the same bytes. Folders come before what is in them. */
export function cpio(entries: readonly CpioEntry[]): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const [at, entry] of entries.entries()) {
    const mode = TYPE[entry.kind] | (entry.kind === "link" ? 0o777 : entry.mode);
    const content =
      entry.kind === "file" ? entry.content : entry.kind === "link" ? text(entry.target) : new Uint8Array();
    parts.push(
      ...member(at + 1, entry.path, mode, content, entry.kind === "character" ? [entry.major, entry.minor] : [0, 0]),
    );
  }
  parts.push(...member(0, "TRAILER!!!", 0, new Uint8Array(), [0, 0]));
  return Buffer.concat(parts);
}
