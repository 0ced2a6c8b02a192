/** One contract for the door to the host: this machine's and the pretend one's. */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { DoorError } from "../../src/dom0/dom0.ts";
import { realDom0 } from "../../src/dom0/real.ts";
import { simDom0 } from "../../src/sim/sim.ts";
import { type Host, realHost } from "./host.ts";

type Owned = Host & { chmod(path: string, mode: number): void };
const real = (): Owned => ({ ...realHost(mkdtempSync(join(tmpdir(), "sallyport-dom0-"))), chmod: chmodSync });
const sim = (): Owned => {
  const dom0 = simDom0();
  dom0.program("true", () => ({}));
  dom0.program("sh", () => ({ code: 3, stdout: "out", stderr: "err" }));
  return { ...dom0, dom0, folder: "/sim", chmod: (path, mode) => dom0.own(path, { mode }) };
};

describe.each([
  ["this machine", real],
  ["the pretend dom0", sim],
])("the door to %s", (_, make) => {
  it("tells what a program said and how it ended, and refuses one that is not there", async () => {
    const { dom0 } = make();
    expect(await dom0.run("true", [], { timeoutMs: 10_000 })).toEqual({
      code: 0,
      stdout: "",
      stderr: "",
      timedOut: false,
    });
    const ran = await dom0.run("sh", ["-c", "printf out; printf err >&2; exit 3"], {
      timeoutMs: 10_000,
      outputBytesMax: 2,
    });
    expect(ran).toEqual({ code: 3, stdout: "ou", stderr: "er", timedOut: false });
    await expect(dom0.run("no-such-program", [], { timeoutMs: 1_000 })).rejects.toThrow(DoorError);
  });
  it("has no opinion on what is absent", async () => {
    const { dom0, folder } = make();
    const path = `${folder}/absent`;
    expect([
      await dom0.readText(path, 10),
      await dom0.facts(path),
      await dom0.open(path),
      await dom0.list(path),
    ]).toEqual(Array(4).fill(undefined));
  });
  it("reads up to a bound", async () => {
    const { dom0, folder, write } = make();
    write(`${folder}/a`, "0123456789");
    expect(await dom0.readText(`${folder}/a`, 4)).toBe("0123");
    expect(await dom0.readText(`${folder}/a`, 100)).toBe("0123456789");
    expect(await dom0.list(folder)).toEqual(["a"]);
  });
  it("keeps speaking of the same file after it was renamed away", async () => {
    const { dom0, folder, write, append, rename, remove } = make();
    const path = `${folder}/log`;
    write(path, "one\n");
    const file = (await dom0.open(path))!;
    const before = await file.facts();
    rename(path, `${path}.1`);
    write(path, "new\n");
    append(`${path}.1`, "two\n");
    expect(Buffer.from(await file.read(4, 100)).toString()).toBe("two\n");
    expect((await file.read(8, 100)).length).toBe(0);
    expect((await file.facts()).inode).toBe(before.inode);
    expect((await dom0.facts(path))!.inode).not.toBe(before.inode);
    remove(`${path}.1`);
    expect((await file.facts()).size).toBe(8);
    await file.close();
  });
  it("reads no further than a file that was cut, and the same file goes on", async () => {
    const { dom0, folder, write, append, truncate } = make();
    const path = `${folder}/log`;
    write(path, "one\ntwo\n");
    const file = (await dom0.open(path))!;
    const before = await file.facts();
    truncate(path, 4);
    expect((await file.read(4, 100)).length).toBe(0);
    append(path, "new\n");
    expect(Buffer.from(await file.read(0, 100)).toString()).toBe("one\nnew\n");
    expect((await dom0.facts(path))!.inode).toBe(before.inode);
    await file.close();
  });
  it("opens no symbolic link, and what takes its place again", async () => {
    const { dom0, folder, write, link, remove } = make();
    const path = `${folder}/log`;
    write(path, "one\n");
    link(path);
    await expect(dom0.openRegular(path)).rejects.toThrow("is a symbolic link, and is not followed");
    remove(path);
    write(path, "two\n");
    const file = (await dom0.openRegular(path))!;
    expect(Buffer.from(await file.read(0, 100)).toString()).toBe("two\n");
    await file.close();
  });
  it("says whose a file is and who may write it, of a link its own", async () => {
    const { dom0, folder, write, link, chmod } = make();
    const path = `${folder}/a`;
    write(path, "one");
    chmod(path, 0o640);
    expect(await dom0.owner(path)).toEqual({ is: "file", uid: expect.any(Number), mode: 0o640 });
    chmod(path, 0o1666);
    expect((await dom0.owner(path))?.mode).toBe(0o1666);
    expect((await dom0.owner(folder))?.is).toBe("folder");
    link(path);
    expect((await dom0.owner(path))?.is).toBe("link");
    expect(await dom0.owner(`${folder}/absent`)).toBeUndefined();
  });
  it("wakes on a change or after a while, and ends with the signal", async () => {
    const { dom0, folder, write, append } = make();
    write(`${folder}/log`, "");
    const stop = new AbortController();
    let woken = 0;
    for await (const _change of dom0.watch(`${folder}/log`, 50, stop.signal)) {
      if (woken++ === 0) append(`${folder}/log`, "x");
      if (woken === 3) stop.abort();
    }
    expect(woken).toBe(3);
  });
  it("does not remove what is no socket", async () => {
    const { dom0, folder, write } = make();
    write(`${folder}/log`, "precious");
    await expect(dom0.clearSocket(`${folder}/log`)).rejects.toThrow("is in the way");
    await dom0.clearSocket(`${folder}/none`);
  });
  it("has clocks that go on", () => {
    const { dom0 } = make();
    const before = dom0.monotonic();
    expect(dom0.monotonic()).toBeGreaterThanOrEqual(before);
    expect(dom0.now()).toBeGreaterThan(Date.parse("2026-01-01"));
  });
});

it("this machine's door opens no pipe and no device, and does not wait for one", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-dom0-"));
  execFileSync("mkfifo", [join(folder, "pipe")]);
  await expect(realDom0.openRegular(join(folder, "pipe"))).rejects.toThrow("is no regular file");
  await expect(realDom0.openRegular("/dev/null")).rejects.toThrow("is no regular file");
  await expect(realDom0.openRegular(folder)).rejects.toThrow("is no regular file");
});
