/** The confined reader: the only process that meets a stick's bytes. It gets one order, an open image (or a folder) and
 *  clamd's socket; it has no network and no privileges, and says what it sees one JSON object a line. */
import { writeSync } from "node:fs";
import { askVersion } from "./clamd.ts";
import { asker } from "./content.ts";
import type { Event, Order } from "./events.ts";
import { examiner } from "./examine.ts";
import { folderVolume } from "./folder.ts";
import { hashWhole, readMedium, readVolume } from "./medium.ts";
import { fileSource } from "./source.ts";
import { countdown } from "./volume.ts";

const STDOUT = 1;
/** clamd's user reads what is laid in the tray; what else is written here nobody else reaches. */
const UMASK = 0o022;
const PROGRESS_MS = 500;
/** Several lines leave in one write. */
const BATCH_CHARS = 32 * 1024;
/** Content that file systems may claim: hard links and crossed chains count twice, but not for ever. */
const CONTENT_FACTOR = 4;
const CONTENT_BYTES_MIN = 1024 ** 3;

function teller(): { tell: (event: Event) => void; flush: () => void } {
  let batch = "";
  const flush = () => {
    const bytes = Buffer.from(batch);
    batch = "";
    for (let at = 0; at < bytes.length; ) at += writeSync(STDOUT, bytes, at);
  };
  return {
    tell(event) {
      batch += `${JSON.stringify(event)}\n`;
      if (batch.length > BATCH_CHARS) flush();
    },
    flush,
  };
}

async function read(order: Order): Promise<void> {
  const { tell, flush } = teller();
  const version = order.clamd === null ? null : await askVersion(order.clamd.socket);
  tell({ event: "scanner", scanner: version });
  const ask = asker(order.clamd, version !== null, order.bounds.fileMs);
  const { target } = order;
  const most =
    target.kind === "image" ? Math.max(target.size * CONTENT_FACTOR, CONTENT_BYTES_MIN) : Number.MAX_SAFE_INTEGER;
  const examine = examiner(order, ask, (file) => tell({ event: "file", file }), most);
  const progress = setInterval(() => {
    tell({ event: "progress", files: examine.files(), bytes: examine.bytes() });
    flush();
  }, PROGRESS_MS);
  const bounds = countdown(order.bounds.files);
  try {
    if (target.kind === "folder")
      await readVolume(folderVolume(target.path), undefined, examine, bounds, order.lanes, tell);
    else {
      const source = fileSource(target.fd, target.size);
      const hash = order.hashImage ? hashWhole(source) : null;
      hash?.catch(() => {});
      await readMedium(source, examine, bounds, order.lanes, tell);
      if (hash) tell({ event: "image", image: { sha256: await hash, size: target.size } });
    }
    tell({ event: "end" });
  } finally {
    clearInterval(progress);
    flush();
  }
}

process.umask(UMASK);
await read(JSON.parse(process.argv[2]!) as Order);
