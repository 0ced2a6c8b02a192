/** One contract for a claim by a process and for the pretend kernel's. No machine that tests run on has a hub: the real
 *  process asks a plain file how much there is to read, instead of a hub for its port. */
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type SimUsb, simUsb } from "../sim/usb.ts";
import { DoorError } from "./dom0.ts";
import { claimPort } from "./usb-claim.ts";

const FIONREAD = 0x541b;

let root: string;
let file: string;
let kernel: SimUsb;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "sallyport-claim-"));
  file = join(root, "hub");
  writeFileSync(file, "as a hub");
  kernel = simUsb(root);
});
afterEach(() => {
  kernel.stop();
  rmSync(root, { recursive: true, force: true });
});

/** The processes that have the file, by its name, which is nobody else's. */
function holders(): number[] {
  try {
    return execFileSync("pgrep", ["-f", file], { encoding: "utf8" }).trim().split("\n").map(Number);
  } catch {
    return [];
  }
}
const until = async (holds: () => boolean) => {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 10));
};

describe.each([
  {
    name: "by a process",
    make: () => ({
      claim: claimPort({ request: FIONREAD }),
      hub: file,
      end: () => holders().forEach((pid) => void process.kill(pid)),
    }),
  },
  {
    name: "of the pretend kernel",
    make: () => ({
      claim: kernel.claimPort,
      hub: join(kernel.place.dev, "bus/usb/001/001"),
      end: () => kernel.endClaim("1-2"),
    }),
  },
])("a claim $name", ({ make }) => {
  it("stands until it is let go, and again", async () => {
    const { claim, hub } = make();
    for (const _time of [1, 2]) {
      const stands = await claim(hub, 2);
      expect(stands.isOver()).toBe(false);
      await stands.letGo();
      await stands.letGo();
      expect(stands.isOver()).toBe(true);
    }
  });
  it("says when it was ended by somebody else", async () => {
    const { claim, hub, end } = make();
    const stands = await claim(hub, 2);
    end();
    await until(stands.isOver);
    await stands.letGo();
  });
  it("is refused where there is no such hub", async () => {
    const { claim, hub } = make();
    await expect(claim(`${hub}-none`, 2)).rejects.toThrow(DoorError);
  });
});

it("a process that is refused says so in the kernel's words, and that there is no perl", async () => {
  await expect(claimPort()(file, 2)).rejects.toThrow(
    `the kernel does not give the claim of port 2 of ${file}: Inappropriate ioctl for device`,
  );
  await expect(claimPort({ program: join(root, "perl") })(file, 2)).rejects.toThrow(/perl cannot be started: .*ENOENT/);
  await expect(claimPort({ program: "/bin/true" })(file, 2)).rejects.toThrow("/bin/true ended without an answer");
});

it("a claim does not outlive the process that has it", async () => {
  const module = pathToFileURL(join(import.meta.dirname, "usb-claim.ts")).href;
  const program = `import { claimPort } from ${JSON.stringify(module)};
    await claimPort({ request: ${FIONREAD} })(process.env.HUB, 2);
    console.log("stands");`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, HUB: file },
  });
  await new Promise((resolve) => child.stdout.once("data", resolve));
  expect(holders()).toHaveLength(1);
  child.kill("SIGKILL");
  await until(() => holders().length === 0);
});

it("two do not stand at one port of the pretend kernel", async () => {
  const hub = join(kernel.place.dev, "bus/usb/001/001");
  const first = await kernel.claimPort(hub, 2);
  await expect(kernel.claimPort(hub, 2)).rejects.toThrow(/claimed by another/);
  await first.letGo();
  await (await kernel.claimPort(hub, 2)).letGo();
});
