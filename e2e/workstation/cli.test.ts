/** The command line's words, where no workstation runs: what is wrong is said before any machine is asked for. */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";

const CLI = fileURLToPath(new URL("cli.ts", import.meta.url));
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "no-workstation-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const cli = (...words: string[]) =>
  new Promise<{ code: number; said: string }>((resolve) => {
    const env = { ...process.env, SALLYPORT_WORKSTATION: folder };
    execFile(process.execPath, [CLI, ...words], { env }, (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === "number" ? error.code : 0, said: stdout + stderr }),
    );
  });

it.each([
  [["nope"], "no such verb: nope"],
  [["constructor"], "no such verb: constructor"],
  [["up", "--console"], "not understood: --console"],
  [["up", "--console", "70000"], "not understood: --console 70000"],
  [["down", "now"], "not understood: now"],
  [["status", "--jsn"], "not understood: --jsn"],
  [["console"], "console needs dom0 or guest"],
  [["console", "both"], "console dom0 or console guest, not both"],
  [["plug", "--read-only"], "plug needs an image"],
  [["plug", "a.img", "b.img"], "not understood: b.img"],
  [["unplug", "stick"], "not understood: stick"],
  [["screenshot", "picture.jpg"], "screenshot writes .png or .ppm, not picture.jpg"],
  [["install"], "install needs a .deb file"],
])("%j is a matter of usage", async (words, sentence) => {
  const { code, said } = await cli(...words);
  expect(said).toContain(sentence);
  expect(said).toContain("usage: npm run workstation -- VERB");
  expect(code).toBe(2);
});

it.each([[["console", "dom0"]], [["ssh"]], [["plug", "--read-only", CLI]], [["unplug"]], [["screenshot", "a.png"]]])(
  "%j without a workstation says how to get one",
  async (words) => {
    expect(await cli(...words)).toEqual({ code: 1, said: "no workstation is running: npm run workstation -- up\n" });
  },
);

it("a missing image is named, and nothing running is no failure of down", async () => {
  expect(await cli("plug", "/no/such.img")).toEqual({ code: 1, said: "there is no image /no/such.img\n" });
  expect(await cli("down")).toEqual({ code: 0, said: "nothing was running\n" });
  expect(await cli("status", "--json")).toEqual({ code: 0, said: '{"running":false}\n' });
});
