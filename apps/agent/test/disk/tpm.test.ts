/** A volume's key in a TPM: the software one of Debian, with systemd-cryptenroll on a plain file. What the TPM gives out is
 *  taken by hand, as systemd's token would at boot, since nothing is opened without a device-mapper. */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { cryptsetupDisk } from "../../src/dom0/disk.ts";
import { realDom0 } from "../../src/dom0/real.ts";
import { PCRS_FIRST, type Tpm } from "../../src/dom0/tpm.ts";
import { missing } from "../gate/packages.ts";
import { QUICK, watchedDisk } from "./volume.ts";

const without = missing("cryptsetup", "wipefs", "swtpm", "tpm2_unseal", "systemd-cryptenroll");
const key = new TextEncoder().encode("the pass phrase");
const WAIT = { timeout: 60_000, interval: 20 };

describe.skipIf(without !== null)("a key that a TPM2 holds", () => {
  let folder: string;
  let device: string;
  let stop: () => Promise<void>;
  const at = (name: string) => join(folder, name);

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "sallyport-tpm-"));
    mkdirSync(at("tpm"));
    device = `swtpm:path=${at("socket")}`;
    // its clients know the second by the first
    const server = [`--server=type=unixio,path=${at("socket")}`, `--ctrl=type=unixio,path=${at("socket.ctrl")}`];
    const started = ["socket", "--tpm2", "--tpmstate", `dir=${at("tpm")}`, ...server];
    const child = spawn("swtpm", [...started, "--flags", "not-need-init,startup-clear"], { stdio: "ignore" });
    const ended = once(child, "exit");
    stop = async () => {
      child.kill("SIGKILL");
      await ended;
    };
    await vi.waitFor(() => expect(existsSync(at("socket"))).toBe(true), WAIT);
  });
  afterEach(async () => {
    await stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Nobody manages its sessions here: each tool's are dropped. */
  function tool(program: string, ...args: string[]) {
    const env = { ...process.env, TPM2TOOLS_TCTI: device };
    for (const kind of ["-t", "-l", "-s"]) spawnSync("tpm2_flushcontext", [kind], { env });
    return spawnSync(program, args, { env, cwd: folder });
  }
  const extend = (pcr: number, what: string) => {
    const sum = execFileSync("sha256sum", { input: what, encoding: "utf8" }).slice(0, 64);
    expect(tool("tpm2_pcrextend", `${pcr}:sha256=${sum}`).status).toBe(0);
  };
  const tpm = (): Tpm => ({
    device,
    isThere: async () => true,
    pcr: async (index) => /0x([0-9A-F]+)/i.exec(tool("tpm2_pcrread", `sha256:${index}`).stdout.toString())?.[1],
  });
  async function volume() {
    const disk = cryptsetupDisk(realDom0, QUICK, tpm());
    await disk.create(at("volume"), 32 * 1024 * 1024);
    await disk.format(at("volume"), key);
    return disk;
  }
  const look = async (disk: Awaited<ReturnType<typeof volume>>) => {
    const found = await disk.look(at("volume"));
    if (found.is !== "luks2") throw new Error(found.is);
    return found.header;
  };
  /** What the TPM gives out for the volume now; nothing where it refuses. */
  function given(tokenId: number, pcrs: readonly number[]): Uint8Array | undefined {
    const exported = execFileSync("cryptsetup", ["token", "export", "--token-id", String(tokenId), at("volume")]);
    const blob = Buffer.from((JSON.parse(exported.toString()) as { "tpm2-blob": string })["tpm2-blob"], "base64");
    const end = 2 + blob.readUInt16BE(0);
    writeFileSync(at("private"), blob.subarray(0, end));
    writeFileSync(at("public"), blob.subarray(end));
    expect(tool("tpm2_createprimary", "-Q", "-C", "o", "-g", "sha256", "-G", "ecc", "-c", "primary").status).toBe(0);
    expect(tool("tpm2_load", "-Q", "-C", "primary", "-u", "public", "-r", "private", "-c", "object").status).toBe(0);
    const unsealed = tool("tpm2_unseal", "-c", "object", "-p", `pcr:sha256:${pcrs.join(",")}`);
    return unsealed.status === 0 ? Buffer.from(unsealed.stdout.toString("base64")) : undefined;
  }

  it("opens the volume while what was measured is the same, and is not given out after another kernel", async () => {
    for (const pcr of PCRS_FIRST) extend(pcr, `what boots, ${pcr}`);
    const disk = await volume();
    await disk.enrolTpm(at("volume"), key, { pcrs: PCRS_FIRST });
    const { tokens, slots } = await look(disk);
    expect(tokens).toMatchObject([{ type: "systemd-tpm2", slots: [1], tpm2: { pcrs: PCRS_FIRST, pin: false } }]);
    expect(slots.map(({ slot }) => slot)).toEqual([0, 1]);
    const secret = given(tokens[0]!.id, PCRS_FIRST);
    expect(secret && (await disk.opens(at("volume"), secret, 1))).toBe(true);
    extend(9, "another kernel");
    expect(given(tokens[0]!.id, PCRS_FIRST)).toBeUndefined();
    expect(await disk.opens(at("volume"), key, 0)).toBe(true);

    // and one for the new state takes its place: the old one is no key any more
    await disk.enrolTpm(at("volume"), key, { pcrs: PCRS_FIRST });
    const after = await look(disk);
    expect(after.slots).toHaveLength(2);
    expect(secret && (await disk.opens(at("volume"), secret))).toBe(false);
    const next = given(after.tokens[0]!.id, PCRS_FIRST);
    expect(next && (await disk.opens(at("volume"), next))).toBe(true);
  });

  it("is refused where nothing was measured into a register, and nothing is changed", async () => {
    extend(7, "Secure Boot");
    const disk = await volume();
    const before = await disk.hash(at("volume"), 32_768);
    await expect(disk.enrolTpm(at("volume"), key, { pcrs: [7, 9] })).rejects.toThrow(
      "Nothing was ever measured into PCR 9",
    );
    expect(await disk.hash(at("volume"), 32_768)).toBe(before);
    await disk.enrolTpm(at("volume"), key, { pcrs: [7] });
    expect((await look(disk)).tokens).toMatchObject([{ tpm2: { pcrs: [7] } }]);
  });

  it("with a PIN is not given out without it; neither it nor the pass phrase is an argument, or left behind", async () => {
    for (const pcr of PCRS_FIRST) extend(pcr, `what boots, ${pcr}`);
    await volume();
    const { asked, watched } = watchedDisk(tpm());
    const shm = readdirSync("/dev/shm").filter((name) => name.startsWith("sallyport-"));
    await watched.enrolTpm(at("volume"), key, { pcrs: PCRS_FIRST, pin: "271828" });
    expect(readdirSync("/dev/shm").filter((name) => name.startsWith("sallyport-"))).toEqual(shm);
    const { tokens } = await look(watched);
    expect(tokens).toMatchObject([{ tpm2: { pcrs: PCRS_FIRST, pin: true } }]);
    expect(given(tokens[0]!.id, PCRS_FIRST)).toBeUndefined();
    expect(asked.join("\n")).toContain("systemd-cryptenroll --tpm2-device=swtpm");
    expect(asked.join("\n")).not.toMatch(/271828|the pass phrase/);
  });

  it("is not made by a pass phrase that opens nothing", async () => {
    extend(7, "Secure Boot");
    const disk = await volume();
    const wrong = new TextEncoder().encode("nobody's");
    await expect(disk.enrolTpm(at("volume"), wrong, { pcrs: [7] })).rejects.toThrow("systemd-cryptenroll");
    expect((await look(disk)).tokens).toEqual([]);
  });
});
