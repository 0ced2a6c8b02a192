/** A machine that is enrolled once more, or whose agent is upgraded: what becomes of its volume's sealed recovery keys. */
import { randomBytes, randomUUID } from "node:crypto";
import { mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { toBase64, toUtf8 } from "@sallyport/shared/base/bytes.ts";
import type { WorkstationId } from "@sallyport/shared/base/ids.ts";
import type { SealedRecovery } from "@sallyport/shared/disk/sealed.ts";
import { diskFaults } from "@sallyport/shared/disk/state.ts";
import { DiskSection } from "@sallyport/shared/policy/disk.ts";
import type { Receipt } from "@sallyport/shared/trail/receipt.ts";
import { afterAll, expect, it } from "vitest";
import { lookAtVolume } from "../../src/appliers/disk.ts";
import { provision } from "../../src/appliers/disk-provision.ts";
import { renewRecovery } from "../../src/appliers/disk-recovery.ts";
import { sha256 } from "../../src/dom0/crypto.ts";
import { realDom0 } from "../../src/dom0/real.ts";
import { hpke } from "../../src/dom0/seal.ts";
import { simDisk } from "../../src/sim/disk.ts";
import { diskSource } from "../../src/sources/disk/source.ts";
import { escrowOf, isOnTrail, recoveriesIn, recoveryPath } from "../../src/volume.ts";
import { keeper, run, until } from "../sources/outlet.ts";
import { openHere } from "../sources/spool.ts";

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A pretend volume whose recovery key lies sealed in a real state folder, as this workstation made it. */
async function made(workstation: WorkstationId) {
  const state = mkdtempSync(join(tmpdir(), "sallyport-again-"));
  folders.push(state);
  const disk = simDisk();
  const parts = { disk, hash: sha256, hpke, random: (count: number) => new Uint8Array(randomBytes(count)) };
  const keepSealed = (each: SealedRecovery) => writeFileSync(recoveryPath(state, each), JSON.stringify(each));
  const recoveryTo = toBase64(hpke.publicOf(new Uint8Array(randomBytes(32))));
  const wanted = { device: "/sim/volume", key: toUtf8("the pass phrase"), workstation, recoveryTo };
  const { sealed, volume } = await provision({ ...parts, keepSealed }, { ...wanted, bytes: 32 * 1024 * 1024 });
  const mend = () =>
    renewRecovery(
      {
        ...{ ...parts, keepSealed, reachesTrail: async () => true },
        kept: async () => (await recoveriesIn(realDom0, state)).map((each) => each.sealed),
        forget: async (old) => {
          for (const each of await recoveriesIn(realDom0, state)) if (each.sealed.slot === old.slot) rmSync(each.path);
        },
      },
      wanted,
    );
  const look = (as: WorkstationId) =>
    lookAtVolume(disk, { device: "/sim/volume", copies: [] }, () => escrowOf(realDom0, as, state));
  /** Runs as this workstation until its recovery keys are told; answers the texts of the trail's records. */
  const tell = async (as: WorkstationId): Promise<string[]> => {
    const { spool, intake, outlet } = openHere(state, as);
    const recoveries = async () => (await recoveriesIn(realDom0, state)).map((each) => each.sealed);
    const source = diskSource({ workstation: as, look: () => look(as), recoveries, now: Date.now });
    const { stop } = run(source, { ...keeper(), outlet });
    await until(() => spool.position(`disk/state/${as}`) !== undefined, "the state is told");
    await stop();
    const { records } = spool.read(0, 100, 1_000_000);
    // the console has them all: nothing is carried over to the next trail
    const root = Buffer.from(spool.rootAt(spool.size)).toString("hex") as Receipt["root"];
    const at = { trail: spool.trail, size: spool.size as Receipt["size"], safe: spool.base as Receipt["safe"], root };
    spool.settle({ ...at, workstation: as, epoch: 1, answer: "new", time: new Date().toISOString() });
    intake.close();
    spool.close();
    return records.flatMap(({ content }) => (content ? [content.toString()] : []));
  };
  return { state, disk, sealed, volume, look, tell, mend };
}
const wordsOf = (found: Awaited<ReturnType<typeof lookAtVolume>>) => diskFaults(sha256, DiskSection.parse({}), found);

it("a volume that an older agent made is told as that, and is mended as its words say", async () => {
  const workstation = randomUUID() as string as WorkstationId;
  const { state, disk, sealed, volume, look, mend } = await made(workstation);
  // an older agent's mark is a name, and its file names no slot
  const found = await disk.look("/sim/volume");
  if (found.is !== "luks2") throw new Error(found.is);
  for (const { id } of found.header.tokens) await disk.removeToken("/sim/volume", id);
  await disk.addToken("/sim/volume", { type: "sallyport-recovery", keyslots: ["1"] });
  renameSync(recoveryPath(state, sealed), join(state, `recovery-${volume}.json`));

  expect(wordsOf(await look(workstation))).toEqual([
    "recovery key 1 was marked by an older agent, and whether it is the one that was sealed cannot be told: `sallyport-agent disk recovery` gives it one that can",
  ]);
  expect(await mend()).toMatchObject({ slot: 2, ended: [1], left: [], unmarked: [] });
  expect(wordsOf(await look(workstation))).toEqual(["its recovery key 2 is sealed and not on the trail yet"]);
  // where nothing was sealed for it, there is nothing to tell of
  await disk.removeToken("/sim/volume", 1);
  await disk.addToken("/sim/volume", { type: "sallyport-recovery", keyslots: ["2"] });
  for (const name of readdirSync(state)) rmSync(join(state, name));
  expect(wordsOf(await look(workstation))[0]).toContain("nothing of it is sealed here");
});

it("what an earlier enrolment told is told again on the new one's trail, and is not escrowed before", async () => {
  const [first, second] = [randomUUID() as string as WorkstationId, randomUUID() as string as WorkstationId];
  const { state, sealed, look, tell } = await made(first);
  expect((await tell(first)).filter((text) => text.includes(sealed.ciphertext))).toHaveLength(1);
  expect(isOnTrail(first, state, sealed)).toBe(true);
  expect(wordsOf(await look(first))).toEqual([]);

  expect(isOnTrail(second, state, sealed)).toBe(false);
  expect(wordsOf(await look(second))).toEqual(["its recovery key 1 is sealed and not on the trail yet"]);
  expect((await tell(second)).filter((text) => text.includes(sealed.ciphertext))).toHaveLength(1);
  expect(isOnTrail(second, state, sealed)).toBe(true);
  // and once, however often it starts
  expect((await tell(second)).filter((text) => text.includes(sealed.ciphertext))).toHaveLength(1);
});
