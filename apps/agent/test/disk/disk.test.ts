/** One contract for the volumes behind the door: cryptsetup on plain files, and the pretend ones. Then what stands on
 *  them: a new volume with its sealed recovery key, and what is reported of it. */
import { execFileSync } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { toBase64 } from "@sallyport/shared/base/bytes.ts";
import type { WorkstationId } from "@sallyport/shared/base/ids.ts";
import type { Escrow } from "@sallyport/shared/disk/recovery.ts";
import type { SealedRecovery } from "@sallyport/shared/disk/sealed.ts";
import { unsealRecovery } from "@sallyport/shared/disk/sealed.ts";
import { DiskState } from "@sallyport/shared/disk/state.ts";
import { DiskSection } from "@sallyport/shared/policy/disk.ts";
import { SectionState } from "@sallyport/shared/state/reported.ts";
import { afterAll, describe, expect, it } from "vitest";
import { diskApplier, lookAtVolume, unknownVolume } from "../../src/appliers/disk.ts";
import { type Provision, provision } from "../../src/appliers/disk-provision.ts";
import { renewRecovery, type Wanted } from "../../src/appliers/disk-recovery.ts";
import { sha256 } from "../../src/dom0/crypto.ts";
import { cryptsetupDisk, type Disk } from "../../src/dom0/disk.ts";
import { realDom0 } from "../../src/dom0/real.ts";
import { hpke } from "../../src/dom0/seal.ts";
import { simDisk } from "../../src/sim/disk.ts";
import { missing } from "../gate/packages.ts";
import { hasLoops, QUICK, watchedDisk } from "./volume.ts";

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

const without = missing("cryptsetup", "wipefs");
const bytes = (text: string) => new TextEncoder().encode(text);
const SIZE = 32 * 1024 * 1024;

/** Whatever was sealed is told already. */
const onTrail: Escrow = { where: () => "on-trail", keptFor: () => undefined };

/** `hide`: the folder cannot be looked at from now on. */
type Place = { disk: Disk; at(name: string): string; layForeign(name: string): string; hide(folder: string): void };
function real(): Place {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-disk-"));
  folders.push(folder);
  const at = (name: string) => join(folder, name);
  return {
    disk: cryptsetupDisk(realDom0, QUICK),
    at,
    // it is nowhere that this process can see: what else hides one is in hidden.test.ts
    hide: () => {},
    layForeign(name) {
      const path = at(name);
      closeSync(openSync(path, "w"));
      execFileSync("truncate", ["-s", String(SIZE), path]);
      execFileSync("mkfs.ext4", ["-q", path]);
      return path;
    },
  };
}
function sim(): Place {
  const disk = simDisk();
  const at = (name: string) => `/sim/${name}`;
  return {
    disk,
    at,
    hide: (name) => disk.hide(at(name)),
    layForeign(name) {
      disk.lay(at(name), SIZE, "ext4");
      return at(name);
    },
  };
}

describe.each<[string, () => Place]>([
  ...(without ? [] : [["cryptsetup on plain files", real] as [string, () => Place]]),
  ["the pretend volumes", sim],
])("%s", (_name, make) => {
  const [first, second, third] = [bytes("the first pass phrase"), bytes("the second"), bytes("nobody's")];

  it("a new volume opens with its key, and with each that is added, and with no other", async () => {
    const { disk, at } = make();
    const path = at("volume");
    expect(await disk.look(path)).toEqual({ is: "absent" });
    await disk.create(path, SIZE);
    expect(await disk.look(path)).toEqual({ is: "blank" });
    await expect(disk.create(path, SIZE)).rejects.toThrow("cannot make");
    await disk.format(path, first);
    const found = await disk.look(path);
    expect(found).toMatchObject({ is: "luks2", header: { cipher: "aes-xts-plain64", tokens: [] } });
    expect(await disk.opens(path, first)).toBe(true);
    expect(await disk.opens(path, second)).toBe(false);
    const before = await disk.hash(path, 32_768);
    await disk.addKey(path, first, second, 1);
    await disk.addToken(path, { type: "sallyport-recovery", keyslots: ["1"] });
    expect(await disk.hash(path, 32_768)).not.toBe(before);
    expect(await disk.opens(path, second, 1)).toBe(true);
    expect(await disk.opens(path, second, 0)).toBe(false);
    const after = await disk.look(path);
    expect(after).toMatchObject({ is: "luks2", header: { tokens: [{ type: "sallyport-recovery", slots: [1] }] } });
    expect(after.is === "luks2" && after.header.slots.map(({ slot }) => slot)).toEqual([0, 1]);
    await expect(disk.addKey(path, third, third, 2)).rejects.toThrow();
    await disk.removeKey(path, 1, first);
    expect(await disk.opens(path, second)).toBe(false);
  });

  it("an erased one opens with nothing, and one whose header is overwritten is none", async () => {
    const { disk, at } = make();
    const path = at("volume");
    await disk.create(path, SIZE);
    await disk.format(path, first);
    await disk.erase(path);
    expect(await disk.opens(path, first)).toBe(false);
    const found = await disk.look(path);
    expect(found).toMatchObject({ is: "luks2", header: { slots: [] } });
    const before = await disk.hash(path, SIZE);
    await disk.overwrite(path, 16 * 1024 * 1024);
    expect(await disk.hash(path, SIZE)).not.toBe(before);
    expect(await disk.look(path)).toMatchObject({ is: "other", uuids: [] });
    await expect(disk.erase(path)).rejects.toThrow();
    expect(await disk.remove(path)).toBe("gone");
    expect(await disk.remove(path)).toBe("absent");
  });

  it("another's file system is named, and no mapping is open that is not there", async () => {
    const { disk, layForeign } = make();
    expect(await disk.look(layForeign("foreign"))).toEqual({ is: "other", what: "ext4", uuids: [] });
    expect(await disk.isOpen("no-such-mapping")).not.toBe(true);
    expect((await disk.holders(randomUUID())) ?? []).toEqual([]);
  });

  it("a key is held by a TPM where there is one; where there is none it is said", async () => {
    const { disk, at } = make();
    if (await disk.hasTpm()) return;
    const path = at("volume");
    await disk.create(path, SIZE);
    await disk.format(path, first);
    await expect(disk.enrolTpm(path, first, { pcrs: [7] })).rejects.toThrow("There is no TPM on this machine");
  });

  const workstation = randomUUID() as WorkstationId;
  const own = new Uint8Array(randomBytes(32));
  const provisioner = ({ disk }: Place) => {
    const kept: SealedRecovery[] = [];
    const parts = {
      disk,
      hash: sha256,
      hpke,
      random: (count: number) => new Uint8Array(randomBytes(count)),
      keepSealed: (sealed: SealedRecovery) => void kept.push(sealed),
    };
    const make = (device: string, more: Partial<Provision> = {}) =>
      provision(parts, { device, key: first, workstation, recoveryTo: toBase64(hpke.publicOf(own)), ...more });
    return { kept, make };
  };

  it("a provisioned volume opens with the recovery key that the organisation unseals, and is as policy wants", async () => {
    const place = make();
    const { kept, make: run } = provisioner(place);
    const path = place.at("volume");
    const { volume, sealed } = await run(path, { bytes: SIZE });
    expect(kept).toEqual([sealed]);
    const opened = unsealRecovery(sha256, hpke, own, JSON.parse(JSON.stringify(sealed)));
    if (!opened.ok) throw new Error(opened.error);
    expect(opened.value.recoveryKey).toMatch(/^(?:[0-9a-f]{8}-){7}[0-9a-f]{8}$/);
    expect(JSON.stringify(sealed)).not.toContain(opened.value.recoveryKey);
    expect(await place.disk.opens(path, bytes(opened.value.recoveryKey), 1)).toBe(true);
    expect(await place.disk.opens(path, first, 0)).toBe(true);

    const applier = diskApplier(() => lookAtVolume(place.disk, { device: path, copies: [] }, async () => onTrail));
    const found = await applier.inspect();
    expect(DiskState.parse(found)).toMatchObject({ content: { is: "luks2", uuid: volume } });
    const wanted = DiskSection.parse({ ciphers: ["aes-xts-plain64"], keyBitsLeast: 512, slotsLeast: 2 });
    expect(SectionState.parse(applier.judge(wanted, found))).toMatchObject({ outcome: "applied" });
    const tpm = applier.judge({ ...wanted, tpm2: true }, found);
    expect(tpm).toMatchObject({ outcome: "failed", reason: expect.stringContaining("held by a TPM2") });
    expect(applier.judge({ ...wanted, mode: "audit", tpm2: true }, found)).toMatchObject({ outcome: "audit" });
  });

  /** A trail that a person's run waits for, or that no agent writes. */
  const renewer = (place: Place, kept: SealedRecovery[], isOnTrail = () => true) => {
    const parts = {
      disk: place.disk,
      hash: sha256,
      hpke,
      random: (count: number) => new Uint8Array(randomBytes(count)),
      keepSealed: (sealed: SealedRecovery) => void kept.push(sealed),
      kept: async () => [...kept],
      reachesTrail: async () => isOnTrail(),
      forget: async (sealed: SealedRecovery) => void kept.splice(kept.indexOf(sealed), 1),
    };
    return (device: string, more: Partial<Wanted> = {}) =>
      renewRecovery(parts, { device, key: first, workstation, recoveryTo: toBase64(hpke.publicOf(own)), ...more });
  };
  const clearOf = (sealed: SealedRecovery, by = own) => {
    const opened = unsealRecovery(sha256, hpke, by, sealed);
    if (!opened.ok) throw new Error(opened.error);
    return bytes(opened.value.recoveryKey);
  };
  const recoveryOf = async (place: Place, path: string) => {
    const found = await lookAtVolume(place.disk, { device: path, copies: [] }, async () => onTrail);
    return found.content.is === "luks2" ? found.content.recovery : found;
  };

  it("a volume that somebody else made, or whose making was ended, is given a recovery key", async () => {
    const place = make();
    const path = place.at("volume");
    await place.disk.create(path, SIZE);
    await place.disk.format(path, first);
    expect(await recoveryOf(place, path)).toEqual([]);
    const kept: SealedRecovery[] = [];
    await expect(renewer(place, kept)(path, { key: third })).rejects.toThrow("opens no key");
    expect(kept).toEqual([]);
    const made = await renewer(place, kept)(path);
    expect(made).toMatchObject({ slot: 1, ended: [], left: [], unmarked: [] });
    expect(await place.disk.opens(path, clearOf(made.sealed), 1)).toBe(true);
    expect(await recoveryOf(place, path)).toMatchObject([{ slot: 1, is: "escrowed", to: made.sealed.to }]);
    // what a person puts into the slot afterwards is not what was sealed
    await place.disk.removeKey(path, 1, first);
    await place.disk.addKey(path, first, second, 1);
    expect(await recoveryOf(place, path)).toEqual([]);
  });

  it("a recovery key that was used is followed by another, and ends only when that is on the trail", async () => {
    const place = make();
    const path = place.at("volume");
    const { kept, make: run } = provisioner(place);
    const { sealed: used } = await run(path, { bytes: SIZE });
    const waiting = await renewer(place, kept, () => false)(path, { key: clearOf(used) });
    expect(waiting).toMatchObject({ slot: 2, ended: [], left: [1] });
    expect(await place.disk.opens(path, clearOf(used), 1)).toBe(true);
    // run again it makes no third, and ends the one that was used, by the pass phrase
    const done = await renewer(place, kept)(path);
    expect(done).toMatchObject({ slot: 2, sealed: waiting.sealed, ended: [1], left: [], unmarked: [] });
    expect(await place.disk.opens(path, clearOf(used))).toBe(false);
    expect(await place.disk.opens(path, clearOf(done.sealed), 2)).toBe(true);
    expect(kept).toEqual([done.sealed]);
    const found = await place.disk.look(path);
    expect(found.is === "luks2" && found.header.tokens.map(({ slots }) => slots)).toEqual([[2]]);
    // and who has the used key alone ends it by the new one
    const next = await renewer(place, kept)(path, { key: clearOf(done.sealed) });
    expect(next).toMatchObject({ slot: 1, ended: [2] });
    expect(await place.disk.opens(path, clearOf(done.sealed))).toBe(false);
  });

  it("for another key of the organisation another recovery key is sealed, and the first opens nothing any more", async () => {
    const place = make();
    const path = place.at("volume");
    const { kept, make: run } = provisioner(place);
    const { sealed: before } = await run(path, { bytes: SIZE });
    const other = new Uint8Array(randomBytes(32));
    const { sealed, ended } = await renewer(place, kept)(path, { recoveryTo: toBase64(hpke.publicOf(other)) });
    expect([sealed.to === before.to, ended]).toEqual([false, [1]]);
    expect(await place.disk.opens(path, clearOf(sealed, other), sealed.slot)).toBe(true);
    expect(await place.disk.opens(path, clearOf(before))).toBe(false);
  });

  it.each(["addKey", "addToken", "removeKey"] as const)(
    "one that is ended before it has done %s is ended by the next, which leaves one recovery key",
    async (act) => {
      const place = make();
      const path = place.at("volume");
      const { kept, make: run } = provisioner(place);
      await run(path, { bytes: SIZE });
      const real = place.disk[act];
      Object.assign(place.disk, { [act]: () => Promise.reject(new Error("killed")) });
      await expect(renewer(place, kept)(path)).rejects.toThrow("killed");
      Object.assign(place.disk, { [act]: real });
      const again = await renewer(place, kept)(path);
      expect(again.ended).toEqual([1]);
      expect(await recoveryOf(place, path)).toMatchObject([{ slot: again.slot, is: "escrowed" }]);
      // a key without its mark is nobody's to end: it is named
      expect(again.unmarked).toEqual(act === "addToken" ? [2] : []);
      expect(await place.disk.opens(path, first, 0)).toBe(true);
    },
  );

  it("nothing is provisioned over what is there, nor without room, nor with a slip of a pass phrase", async () => {
    const place = make();
    const { kept, make: run } = provisioner(place);
    const foreign = place.layForeign("foreign");
    const before = await place.disk.hash(foreign, SIZE);
    await expect(run(foreign)).rejects.toThrow("carries something: ext4");
    await expect(run(foreign, { bytes: SIZE })).rejects.toThrow("Nothing was changed");
    expect(await place.disk.hash(foreign, SIZE)).toBe(before);
    await expect(run(place.at("new"))).rejects.toThrow("Give a size");
    await expect(run(place.at("new"), { bytes: 1_000_000 })).rejects.toThrow("at least");
    await expect(run(place.at("new"), { bytes: SIZE, key: bytes("short") })).rejects.toThrow("5 bytes");
    expect(await place.disk.look(place.at("new"))).toEqual({ is: "absent" });
    await run(place.at("new"), { bytes: SIZE });
    await expect(run(place.at("new"))).rejects.toThrow("carries a LUKS2 volume already");
    expect(kept).toHaveLength(1);
  });

  it("a copy of its header that no wipe could destroy is told before there is one", async () => {
    const place = make();
    const { make: run } = provisioner(place);
    const path = place.at("volume");
    await run(path, { bytes: SIZE });
    const judged = async (copies: string[]) => {
      const found = await lookAtVolume(place.disk, { device: path, copies }, async () => onTrail);
      return diskApplier(async () => found).judge(DiskSection.parse({ require: "none" }), found as never);
    };
    expect(await judged([place.at("backup")])).toMatchObject({ outcome: "applied" });
    place.hide("vault");
    const copy = place.at("vault/backup");
    expect(await judged([copy])).toMatchObject({
      outcome: "failed",
      reason: expect.stringContaining(`a wipe could not destroy the copy of its header ${copy}`),
    });
    await expect(place.disk.remove(copy)).rejects.toThrow();
  });

  it("a volume that is gone, bare or unnamed is told in words", async () => {
    const { disk, at, layForeign } = make();
    const look = (device: string) => lookAtVolume(disk, { device, copies: [] });
    const judge = async (device: string) =>
      diskApplier(() => look(device)).judge(DiskSection.parse({}), (await look(device)) as never);
    expect(await judge(at("none"))).toMatchObject({
      outcome: "failed",
      reason: expect.stringContaining("there is no"),
    });
    expect((await judge(layForeign("foreign"))).reason).toContain("not encrypted with LUKS2: ext4");
    expect(unknownVolume().judge(DiskSection.parse({}), null).outcome).toBe("not-applied");
  });
});

it("a volume is open under whatever name, and its header is told also where nobody can tell that", async () => {
  const disk = simDisk();
  await disk.create("/sim/volume", SIZE);
  await disk.format("/sim/volume", bytes("a pass phrase"));
  const isOpen = async () => {
    const { content } = await lookAtVolume(disk, { device: "/sim/volume", copies: [] });
    return content.is === "luks2" ? content.open : content.is;
  };
  expect(await isOpen()).toBe(false);
  disk.openAs("another-name", "/sim/volume");
  expect(await isOpen()).toBe(true);
  disk.deviceMapper = false;
  expect(await isOpen()).toBeUndefined();
  disk.holders = () => Promise.reject(new Error("nobody can tell"));
  expect(await isOpen()).toBeUndefined();
});

it("a key that a pretend TPM holds is a token of the volume, and policy sees it", async () => {
  const disk = simDisk();
  disk.tpm = true;
  await disk.create("/sim/volume", SIZE);
  await disk.format("/sim/volume", bytes("a pass phrase"));
  const judge = async (wanted: object) => {
    const found = await lookAtVolume(disk, { device: "/sim/volume", copies: [] });
    return diskApplier(async () => found).judge(DiskSection.parse({ recoveryKey: false, ...wanted }), found as never);
  };
  await disk.enrolTpm("/sim/volume", bytes("a pass phrase"), { pcrs: [7] });
  expect(await judge({ tpm2: true })).toMatchObject({
    outcome: "applied",
    reason: expect.stringContaining("systemd-tpm2"),
  });
  const reasons = async (wanted: object) => (await judge({ tpm2: true, ...wanted })).reason;
  expect(await reasons({ tpm2Pcrs: "4+7+8" })).toContain("which a TPM2 holds, is bound to PCR 7; wanted is 4+7+8");
  expect(await reasons({ tpm2Pin: true })).toContain("wants no PIN");
  await disk.enrolTpm("/sim/volume", bytes("a pass phrase"), { pcrs: [4, 7, 8, 9], pin: "271828" });
  expect(await judge({ tpm2: true, tpm2Pcrs: "4+7+8", tpm2Pin: true })).toMatchObject({ outcome: "applied" });
});

describe.skipIf(without !== null)("cryptsetup on plain files", () => {
  it("bytes that nobody knows are not taken for room", async () => {
    const { disk, at } = real();
    const path = at("unknown");
    await disk.create(path, SIZE);
    const file = openSync(path, "r+");
    writeSync(file, "somebody's", 4_096);
    closeSync(file);
    expect(await disk.look(path)).toMatchObject({ is: "other", what: "bytes of no known kind" });
  });

  it("a copy of its header that is no file is told from the start, and is not called gone", async () => {
    const { disk, at } = real();
    await disk.create(at("volume"), SIZE);
    await disk.format(at("volume"), bytes("a pass phrase"));
    const refused = async (path: string) => {
      const { beyond } = await lookAtVolume(disk, { device: at("volume"), copies: [path] });
      expect(beyond).toEqual([expect.stringContaining("is no file")]);
      await expect(disk.remove(path)).rejects.toThrow("is no file");
    };
    mkdirSync(at("folder"));
    await refused(at("folder"));
    if (!hasLoops()) return;
    execFileSync("cryptsetup", ["luksHeaderBackup", at("volume"), "--header-backup-file", at("backup")]);
    const device = execFileSync("losetup", ["--find", "--show", at("backup")], { encoding: "utf8" }).trim();
    try {
      symlinkSync(device, at("copy"));
      await refused(at("copy"));
    } finally {
      execFileSync("losetup", ["--detach", device]);
    }
  });

  it("a volume whose first header is gone is still known by the second", async () => {
    const { disk, at } = real();
    const path = at("volume");
    await disk.create(path, SIZE);
    await disk.format(path, bytes("a pass phrase"));
    const found = await disk.look(path);
    const uuid = found.is === "luks2" ? found.uuid : "";
    const file = openSync(path, "r+");
    writeSync(file, randomBytes(8_192), 0, 8_192, 0);
    closeSync(file);
    const after = await disk.look(path);
    expect(after.is === "luks2" ? [after.uuid] : after.is === "other" ? after.uuids : []).toContain(uuid);
  });

  it("a key with any byte in it goes in whole, and is in no program's arguments", async () => {
    const { disk, at } = real();
    const path = at("volume");
    await disk.create(path, SIZE);
    const [key, next] = [new Uint8Array(randomBytes(64)), Uint8Array.of(0, 10, 13, 255, 0, 1, 2, 3)];
    const { asked, watched } = watchedDisk();
    await watched.format(path, key);
    await watched.addKey(path, key, next, 3);
    expect(await watched.opens(path, key)).toBe(true);
    expect(await watched.opens(path, next, 3)).toBe(true);
    expect(await watched.opens(path, next.slice(0, 2))).toBe(false);
    expect(asked.join("\n")).not.toContain(Buffer.from(next).toString("latin1"));
    expect(statSync(path).size).toBe(SIZE);
    expect(readFileSync(path).includes(Buffer.from(key))).toBe(false);
    writeFileSync(path, "");
  });
});
