/** An agent's life around one order to wipe, as a process that a test may end by kill -9 before any act on the volume, or
 *  in the middle of overwriting it. Arguments: the folder, and before which act it dies (0: never). */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { SessionId, WorkstationId } from "@sallyport/shared/base/ids.ts";
import { Policy } from "@sallyport/shared/policy/policy.ts";
import { SignedStatement } from "@sallyport/shared/policy/statement.ts";
import { Commands } from "../../src/command/commands.ts";
import { JOURNAL_BYTES_MAX, journalFile } from "../../src/command/journal-file.ts";
import type { Performers } from "../../src/command/performer.ts";
import { wipePerformer } from "../../src/command/wipe.ts";
import { ed25519Signer } from "../../src/dom0/crypto.ts";
import { cryptsetupDisk, type Disk } from "../../src/dom0/disk.ts";
import { keptText } from "../../src/dom0/kept-text.ts";
import { realDom0 } from "../../src/dom0/real.ts";
import { NO_SPARE } from "../../src/dom0/spare.ts";
import { Intake } from "../../src/spool/intake.ts";
import { openSpool } from "../../src/spool/open.ts";
import { escrowIn, wipedVolumes } from "../../src/volume.ts";

const [folder, dieBefore] = [process.argv[2]!, Number(process.argv[3])];
const silent = { debug() {}, info() {}, warn() {}, error() {} };
const now = () => Date.now();

let acts = 0;
const die = () => process.kill(process.pid, "SIGKILL");
const real = cryptsetupDisk(realDom0);
const mortal: Disk = { ...real };
for (const name of Object.keys(real) as (keyof Disk)[]) {
  const act = real[name].bind(real) as (...args: unknown[]) => Promise<never>;
  Object.assign(mortal, {
    [name]: async (...args: unknown[]) => {
      acts += 1;
      if (acts === dieBefore) {
        // half of it is done
        if (name === "overwrite") await real.overwrite(args[0] as string, 20_000);
        die();
      }
      return act(...args);
    },
  });
}

const signer = ed25519Signer(readFileSync(join(folder, "trail.key"), "utf8"));
const workstation = "11111111-1111-4111-8111-111111111111" as WorkstationId;
const identity = { workstation, signer, session: randomUUID() as SessionId, agentVersion: "test", hostname: "test" };
const spool = openSpool(folder, identity, now, 64 * 1_048_576, () => {});
const intake = new Intake({
  spool,
  log: () => Policy.parse({}).log,
  now,
  monotonic: () => performance.now(),
  onTrouble: (error) => {
    throw error;
  },
});
const orders = (name: string) => keptText(realDom0, join(folder, name), JOURNAL_BYTES_MAX);
const stop = new AbortController();
const commands = await Commands.open({
  spare: NO_SPARE,
  file: journalFile(orders("commands.json"), orders("commands.json.copy")),
  emit: async (parcel) => {
    const answer = await intake.emit(parcel);
    if (parcel.observations.some(({ kind }) => kind === "command.done")) stop.abort();
    return answer;
  },
  position: (name) => spool.position(name),
  floor: () => 0,
  now,
  tell() {},
  changed() {},
  log: silent,
});
const none = { note: async () => null, perform: async () => ({ outcome: "failed" as const, reason: "not asked for" }) };
const performers: Performers = {
  isolate: none,
  release: none,
  pause: none,
  resume: none,
  "destroy-guest": none,
  "start-guest": none,
  rescan: none,
  diagnostics: none,
  wipe: wipePerformer({
    disk: mortal,
    place: { device: join(folder, "volume"), copies: [join(folder, "header.backup")] },
    escrow: () => escrowIn(realDom0, folder),
    wiped: wipedVolumes(realDom0, folder),
    now,
  }),
};
const statement = SignedStatement.parse(JSON.parse(readFileSync(join(folder, "order.json"), "utf8")));
if (!commands.holds(statement)) commands.take(statement);
await commands.run(performers, stop.signal);
intake.close();
spool.close();
