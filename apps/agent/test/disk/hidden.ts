/** A wipe as an agent carries it out, in whatever namespace it was started; what was looked at before, what came of it,
 *  and what is looked at after it, as JSON. Arguments: the volume, and the copy of its header. */
import { randomUUID } from "node:crypto";
import { DiskWiped } from "@sallyport/shared/record/disk.ts";
import { lookAtVolume } from "../../src/appliers/disk.ts";
import { wipePerformer } from "../../src/command/wipe.ts";
import { cryptsetupDisk } from "../../src/dom0/disk.ts";
import { realDom0 } from "../../src/dom0/real.ts";

const [device, copy] = [process.argv[2]!, process.argv[3]!];
const disk = cryptsetupDisk(realDom0);
const place = { device, copies: [copy] };
const { beyond, content } = await lookAtVolume(disk, place);
const volume = content.is === "luks2" ? content.uuid : "";
const command = {
  id: randomUUID(),
  verb: "wipe",
  arguments: { volume },
  notAfter: "2026-11-24T11:00:00.000Z",
} as never;
const performer = wipePerformer({
  disk,
  place,
  escrow: async () => [],
  wiped: { has: async () => false, keep: async () => {} },
  now: () => Date.now(),
});
const noted = await performer.note(command);
const outcome = await performer.perform({ command, noted, isAgain: false, signal: new AbortController().signal });
const { whole } = DiskWiped.parse(outcome.observations?.[0]?.body);
const { beyond: after } = await lookAtVolume(disk, place);
process.stdout.write(JSON.stringify({ outcome: outcome.outcome, reason: outcome.reason, whole, beyond, after }));
