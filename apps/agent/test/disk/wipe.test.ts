/** An order to wipe, carried out by cryptsetup on a plain file, over kill -9 at each of its steps. */
import { execFileSync, spawnSync } from "node:child_process";
import { createHash, generateKeyPairSync, randomBytes, randomUUID } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { toBase64 } from "@sallyport/shared/base/bytes.ts";
import type { SessionId, WorkstationId } from "@sallyport/shared/base/ids.ts";
import { DiskSection } from "@sallyport/shared/policy/disk.ts";
import { signStatement } from "@sallyport/shared/policy/statement.ts";
import { DiskWiped } from "@sallyport/shared/record/disk.ts";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { diskApplier, lookAtVolume } from "../../src/appliers/disk.ts";
import { provision } from "../../src/appliers/disk-provision.ts";
import { wipePerformer } from "../../src/command/wipe.ts";
import { ed25519Signer, sha256 } from "../../src/dom0/crypto.ts";
import { cryptsetupDisk } from "../../src/dom0/disk.ts";
import { realDom0 } from "../../src/dom0/real.ts";
import { hpke } from "../../src/dom0/seal.ts";
import { simDisk } from "../../src/sim/disk.ts";
import { openSpool } from "../../src/spool/open.ts";
import { escrowIn, recoveryPath } from "../../src/volume.ts";
import { missing } from "../gate/packages.ts";
import { QUICK } from "./volume.ts";

const WIPING = fileURLToPath(new URL("wiping.ts", import.meta.url));
const WORKSTATION = "11111111-1111-4111-8111-111111111111" as WorkstationId;
const AREA_BYTES = 16_777_216;
const key = new TextEncoder().encode("the pass phrase");
const pem = () => generateKeyPairSync("ed25519").privateKey.export({ format: "pem", type: "pkcs8" }) as string;
const without = missing("cryptsetup", "wipefs");
const UNKNOWN = { has: async () => false, keep: async () => {} };

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sallyport-wipe-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe.skipIf(without !== null)("a volume that two persons order to be wiped", () => {
  const disk = cryptsetupDisk(realDom0, QUICK);
  const at = (name: string) => join(folder, name);

  /** Made once, and copied for each test: what stretches keys is not what is tested. */
  let template: string;
  let laid: { volume: string; before: string };
  beforeAll(async () => {
    template = mkdtempSync(join(tmpdir(), "sallyport-wipe-template-"));
    laid = await lay(template);
  });
  afterAll(() => rmSync(template, { recursive: true, force: true }));
  beforeEach(() => void execFileSync("cp", ["--recursive", "--sparse=always", `${template}/.`, folder]));

  async function lay(into: string): Promise<{ volume: string; before: string }> {
    const at = (name: string) => join(into, name);
    const { volume } = await provision(
      {
        disk,
        hash: sha256,
        hpke,
        random: (count) => new Uint8Array(randomBytes(count)),
        keepSealed: (sealed) => writeFileSync(recoveryPath(into, sealed), JSON.stringify(sealed)),
      },
      {
        device: at("volume"),
        bytes: 32 * 1024 * 1024,
        key,
        workstation: WORKSTATION,
        recoveryTo: toBase64(hpke.publicOf(new Uint8Array(randomBytes(32)))),
      },
    );
    execFileSync("cryptsetup", ["luksHeaderBackup", at("volume"), "--header-backup-file", at("header.backup")]);
    writeFileSync(at("trail.key"), pem());
    writeFileSync(at("order.json"), ordered(volume, 1));
    return { volume, before: sumOf(at("volume"), AREA_BYTES) };
  }
  function ordered(volume: string, order: number): string {
    const notAfter = new Date(Date.now() + 3_600_000).toISOString();
    const signed = signStatement(
      sha256,
      [ed25519Signer(pem()), ed25519Signer(pem())],
      { type: "command", audience: { workstation: WORKSTATION }, order, issued: new Date().toISOString(), notAfter },
      { id: randomUUID(), verb: "wipe", arguments: { volume }, notAfter },
    );
    return JSON.stringify(signed);
  }
  const sumOf = (path: string, bytes: number) =>
    createHash("sha256").update(readFileSync(path).subarray(0, bytes)).digest("hex");
  const live = (dieBefore: number) =>
    spawnSync(process.execPath, ["--disable-warning=ExperimentalWarning", WIPING, folder, String(dieBefore)], {
      encoding: "utf8",
      timeout: 200_000,
    });
  function trail() {
    const signer = ed25519Signer(readFileSync(at("trail.key"), "utf8"));
    const session = randomUUID() as SessionId;
    const identity = { workstation: WORKSTATION, signer, session, agentVersion: "test", hostname: "test" };
    const spool = openSpool(
      folder,
      identity,
      () => Date.now(),
      64 * 1_048_576,
      () => {},
    );
    try {
      return spool.read(0, 100, 10_000_000).records.map(({ entry, content }) => ({
        kind: (JSON.parse(entry) as { kind: string }).kind,
        body: (JSON.parse(content!) as { body: Record<string, unknown> }).body,
      }));
    } finally {
      spool.close();
    }
  }

  // look, hash; look, erase, overwrite, what has it open, the copy, the escrow, hash
  it.each([0, 4, 5, 8])(
    "dies before its act %i, and is wiped whole all the same, once",
    async (dieBefore) => {
      const { volume, before } = laid;
      const backup = readFileSync(at("header.backup"));
      const first = live(dieBefore);
      if (dieBefore > 0) {
        expect(first.signal).toBe("SIGKILL");
        const again = live(0);
        expect(again.stderr).toBe("");
        expect(again.status).toBe(0);
      } else expect([first.stderr, first.status]).toEqual(["", 0]);

      expect(await disk.look(at("volume"))).toMatchObject({ is: "other", uuids: [] });
      expect(readFileSync(at("volume")).includes(backup.subarray(0, 512))).toBe(false);
      expect(existsSync(at("header.backup"))).toBe(false);
      expect(existsSync(recoveryPath(folder, { volume, slot: 1 }))).toBe(false);
      const records = trail();
      expect(records.map(({ kind }) => kind)).toEqual([
        "trail.opened",
        "command.received",
        "disk.wiped",
        "command.done",
      ]);
      const wiped = DiskWiped.parse(records[2]?.body);
      expect(wiped).toMatchObject({ volume, before, areaBytes: AREA_BYTES, whole: true });
      expect(wiped.after).toBe(sumOf(at("volume"), AREA_BYTES));
      expect(wiped.after).not.toBe(before);
      // whoever holds the sealed key is told to delete it
      expect(wiped.escrow.map((each) => each.volume)).toEqual([volume]);
      expect(records[3]?.body).toMatchObject({ outcome: "done", verb: "wipe" });
    },
    480_000,
  );

  /** All of it is a person's, in the clear, with a table of partitions at its end. */
  async function encrypting(): Promise<string> {
    const LINE = "a line that a person wrote, and nobody encrypted yet\n";
    writeFileSync(at("volume"), LINE.repeat(Math.ceil((64 * 1024 * 1024) / LINE.length)).slice(0, 64 * 1024 * 1024));
    writeFileSync(at("pass"), key);
    const how = ["reencrypt", "--encrypt", "--init-only", "--reduce-device-size", "32M", "--type", "luks2"];
    execFileSync("cryptsetup", [...how, "--batch-mode", ...QUICK, "--key-file", at("pass"), at("volume")]);
    const found = await disk.look(at("volume"));
    if (found.is !== "luks2") throw new Error(found.is);
    const order = JSON.parse(readFileSync(at("order.json"), "utf8"));
    const carried = JSON.parse(order.carried);
    carried.arguments.volume = found.uuid;
    order.carried = JSON.stringify(carried);
    writeFileSync(at("order.json"), JSON.stringify(order));
    return found.uuid;
  }
  const clear = () => readFileSync(at("volume")).includes("and nobody encrypted yet");

  // look, hash, size; look, erase, overwrite, what has it open, overwrite all, the copy, hash, look
  it.each([0, 8])(
    "and is still being encrypted has nothing left in the clear; it dies before its act %i",
    async (dieBefore) => {
      const volume = await encrypting();
      const shown = await lookAtVolume(disk, { device: at("volume"), copies: [] });
      const judged = diskApplier(async () => shown).judge(DiskSection.parse({ recoveryKey: false }), shown as never);
      expect(judged).toMatchObject({
        outcome: "failed",
        reason: expect.stringContaining("nothing of it is encrypted"),
      });
      const first = live(dieBefore);
      if (dieBefore > 0) {
        expect(first.signal).toBe("SIGKILL");
        expect(clear()).toBe(true);
        const again = live(0);
        expect([again.stderr, again.status]).toEqual(["", 0]);
      } else expect([first.stderr, first.status]).toEqual(["", 0]);
      expect(clear()).toBe(false);
      const records = trail();
      const wiped = DiskWiped.parse(records.find(({ kind }) => kind === "disk.wiped")?.body);
      expect(wiped).toMatchObject({ volume, whole: true });
      expect(wiped.parts).toContainEqual({
        what: "all 67108864 bytes of it, which were not all encrypted",
        outcome: "gone",
      });
      expect(records.at(-1)?.body).toMatchObject({ outcome: "done" });
    },
    480_000,
  );

  it("and is being decrypted, with its header apart, is not called done", async () => {
    const { volume } = laid;
    rmSync(at("header.backup"));
    writeFileSync(at("pass"), key);
    const how = ["reencrypt", "--decrypt", "--init-only", "--force-offline-reencrypt", "--header", at("apart")];
    execFileSync("cryptsetup", [...how, "--batch-mode", "--key-file", at("pass"), at("volume")]);
    writeFileSync(at("volume"), readFileSync(at("apart")));
    expect(live(0).status).toBe(0);
    const records = trail();
    const wiped = DiskWiped.parse(records.find(({ kind }) => kind === "disk.wiped")?.body);
    expect(wiped).toMatchObject({ volume, whole: false });
    expect(records.at(-1)?.body).toMatchObject({
      outcome: "failed",
      reason: expect.stringContaining("destroy the data by hand"),
    });
  });

  it("in part is wiped whole by a next order: what is left of it, and nothing else", async () => {
    const { volume } = laid;
    const copy = readFileSync(at("header.backup"));
    rmSync(at("header.backup"));
    expect(live(0).status).toBe(0);
    // the copy's place was not there then; somebody has put something else on the device since
    writeFileSync(at("header.backup"), copy);
    writeFileSync(at("volume"), "of somebody else".repeat(4_000));
    const before = readFileSync(at("volume"));
    writeFileSync(at("order.json"), ordered(volume, 2));
    expect(live(0).status).toBe(0);
    expect(existsSync(at("header.backup"))).toBe(false);
    expect(readFileSync(at("volume")).equals(before)).toBe(true);
    const [, second] = trail().filter(({ kind }) => kind === "disk.wiped");
    expect(DiskWiped.parse(second?.body)).toMatchObject({
      ...{ volume, whole: true, parts: [{ what: at("header.backup"), outcome: "gone" }] },
    });
    expect(trail().at(-1)?.body).toMatchObject({ outcome: "done" });

    // nothing is left, and a copy of another volume is not this one's
    await disk.create(at("another"), 32 * 1024 * 1024);
    await disk.format(at("another"), key);
    execFileSync("cryptsetup", ["luksHeaderBackup", at("another"), "--header-backup-file", at("header.backup")]);
    writeFileSync(at("order.json"), ordered(volume, 3));
    expect(live(0).status).toBe(0);
    expect(trail().at(-1)?.body).toMatchObject({
      outcome: "failed",
      reason: expect.stringContaining("Nothing was destroyed"),
    });
    expect(existsSync(at("header.backup"))).toBe(true);
  }, 480_000);

  it("and is not there any more is not called wiped, though its copies are gone", async () => {
    const { volume } = laid;
    writeFileSync(at("volume"), "another disk".repeat(4_000));
    expect(live(0).status).toBe(0);
    expect(existsSync(at("header.backup"))).toBe(false);
    const records = trail();
    const wiped = DiskWiped.parse(records.find(({ kind }) => kind === "disk.wiped")?.body);
    expect(wiped).toMatchObject({ volume, whole: false });
    expect(records.at(-1)?.body).toMatchObject({
      outcome: "failed",
      reason: expect.stringContaining("it may be whole elsewhere"),
    });
  });

  it("and is LUKS1 is said to be that, and is not touched", async () => {
    writeFileSync(at("pass"), key);
    const how = [
      "luksFormat",
      "--type",
      "luks1",
      "--uuid",
      laid.volume,
      "--batch-mode",
      ...QUICK,
      "--key-file",
      at("pass"),
    ];
    execFileSync("cryptsetup", [...how, at("volume")]);
    const before = sumOf(at("volume"), AREA_BYTES);
    expect(live(0).status).toBe(0);
    expect(trail().at(-1)?.body).toMatchObject({ outcome: "failed", reason: expect.stringContaining("LUKS1") });
    expect(sumOf(at("volume"), AREA_BYTES)).toBe(before);
  });

  it("and is another volume by now is not touched", async () => {
    const { before } = laid;
    const order = JSON.parse(readFileSync(at("order.json"), "utf8"));
    const carried = JSON.parse(order.carried);
    carried.arguments.volume = randomUUID();
    order.carried = JSON.stringify(carried);
    writeFileSync(at("order.json"), JSON.stringify(order));
    expect(live(0).status).toBe(0);
    expect(sumOf(at("volume"), AREA_BYTES)).toBe(before);
    expect(await disk.opens(at("volume"), key)).toBe(true);
    const done = trail().find(({ kind }) => kind === "command.done");
    expect(done?.body).toMatchObject({ outcome: "failed", reason: expect.stringContaining("Nothing was touched") });
    expect(await escrowIn(realDom0, folder)).toHaveLength(1);
  });
});

describe("a wipe", () => {
  const turn = (volume: string, noted: never, isAgain: boolean) =>
    ({
      command: { id: randomUUID(), verb: "wipe", arguments: { volume }, notAfter: "2026-11-24T11:00:00.000Z" },
      noted,
      isAgain,
      signal: new AbortController().signal,
    }) as never;

  async function volume(mapping: string | undefined = "guest") {
    const disk = simDisk();
    await disk.create("/dev/guest", 32 * 1024 * 1024);
    await disk.format("/dev/guest", key);
    const found = await disk.look("/dev/guest");
    const uuid = found.is === "luks2" ? found.uuid : "";
    const place = { device: "/dev/guest", copies: ["/root/header"], ...(mapping !== "" && { mapping }) };
    const performer = wipePerformer({ disk, place, escrow: async () => [], wiped: UNKNOWN, now: () => 0 });
    return { disk, uuid, performer };
  }

  it("closes the volume that is open, after its keys and header are gone", async () => {
    const { disk, uuid, performer } = await volume();
    disk.openAs("guest");
    const noted = (await performer.note({ arguments: { volume: uuid } } as never)) as never;
    const outcome = await performer.perform(turn(uuid, noted, false));
    expect(outcome.outcome).toBe("done");
    expect(await disk.isOpen("guest")).toBe(false);
    const parts = DiskWiped.parse(outcome.observations?.[0]?.body).parts;
    expect(parts.map(({ what, outcome: how }) => `${what}: ${how}`)).toEqual([
      "the volume's keys: gone",
      "the header area: gone",
      "the open volume guest: gone",
      "/root/header: absent",
    ]);
  });

  const wiped = async ({ uuid, performer }: Awaited<ReturnType<typeof volume>>) => {
    const noted = (await performer.note({ arguments: { volume: uuid } } as never)) as never;
    const outcome = await performer.perform(turn(uuid, noted, false));
    return { ...outcome, ...DiskWiped.parse(outcome.observations?.[0]?.body) };
  };

  it.each(["guest", ""])(
    "closes whatever has it open, also where %j is all that the configuration names",
    async (named) => {
      const made = await volume(named);
      await made.disk.create("/dev/other", 32 * 1024 * 1024);
      await made.disk.format("/dev/other", key);
      made.disk.openAs("luks-1", "/dev/guest");
      made.disk.openAs("by-hand", "/dev/guest");
      made.disk.openAs("other", "/dev/other");
      const { whole, parts } = await wiped(made);
      expect(whole).toBe(true);
      const closed = parts.filter(({ what }) => what.startsWith("the open volume"));
      expect(closed).toEqual(
        ["luks-1", "by-hand"].map((name) => ({ what: `the open volume ${name}`, outcome: "gone" })),
      );
      expect(await made.disk.holders(made.uuid)).toEqual([]);
      expect(await made.disk.isOpen("other")).toBe(true);
    },
  );

  it("that finds nothing open says so, and one that cannot find out what is open is not whole", async () => {
    const locked = await volume("");
    expect((await wiped(locked)).parts).toContainEqual({ what: "the open volume", outcome: "absent" });
    const bare = await volume();
    bare.disk.deviceMapper = false;
    expect((await wiped(bare)).whole).toBe(true);
    for (const ask of ["holders", "isOpen"] as const) {
      const blind = await volume();
      Object.assign(blind.disk, { [ask]: () => Promise.reject(new Error("nobody can tell what is mapped")) });
      const why = "the open volume guest: nobody can tell what is mapped";
      expect(await wiped(blind)).toMatchObject({ outcome: "failed", whole: false, reason: why });
      expect((await blind.disk.look("/dev/guest")).is).toBe("other");
    }
  });

  it("whose copy lies where nobody can look is not whole", async () => {
    const made = await volume();
    made.disk.lay("/root/header", 16_777_216);
    made.disk.hide("/root");
    expect(await wiped(made)).toMatchObject({
      whole: false,
      reason: expect.stringContaining("/root/header is hidden"),
    });
  });

  it("that cannot destroy a part goes on with the others, and says which is left", async () => {
    const { disk, uuid, performer } = await volume();
    disk.openAs("guest");
    disk.close = async () => {
      throw new Error("Device guest is still in use.");
    };
    const noted = (await performer.note({ arguments: { volume: uuid } } as never)) as never;
    const outcome = await performer.perform(turn(uuid, noted, false));
    expect(outcome).toMatchObject({
      outcome: "failed",
      reason: "the open volume guest: Device guest is still in use.",
    });
    expect(DiskWiped.parse(outcome.observations?.[0]?.body).whole).toBe(false);
    expect((await disk.look("/dev/guest")).is).toBe("other");
  });

  it("that was begun before a kill touches nothing that was put there since", async () => {
    const { disk, uuid, performer } = await volume();
    const noted = (await performer.note({ arguments: { volume: uuid } } as never)) as never;
    await disk.format("/dev/guest", key);
    const before = await disk.hash("/dev/guest", AREA_BYTES);
    const outcome = await performer.perform(turn(uuid, noted, true));
    expect(outcome).toMatchObject({ outcome: "failed", reason: expect.stringContaining("another volume by now") });
    expect(await disk.hash("/dev/guest", AREA_BYTES)).toBe(before);
    disk.lay("/dev/guest", 1, "ext4");
    expect((await performer.perform(turn(uuid, noted, true))).outcome).toBe("failed");
    expect(await disk.look("/dev/guest")).toEqual({ is: "other", what: "ext4", uuids: [] });
  });
});
