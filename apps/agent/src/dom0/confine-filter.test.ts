import { existsSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { allowedCalls, callFilter } from "./confine-filter.ts";

const HEADER = "/usr/include/x86_64-linux-gnu/asm/unistd_64.h";

it.skipIf(!existsSync(HEADER))("each call has the number that the kernel's own header gives it", () => {
  const numbers = new Map(
    [...readFileSync(HEADER, "utf8").matchAll(/^#define __NR_(\w+) (\d+)$/gm)].map(([, name, number]) => [
      name,
      Number(number),
    ]),
  );
  for (const [name, number] of allowedCalls()) expect([name, numbers.get(name)]).toEqual([name, number]);
});

it("is a whole program: each jump lands in it, and what falls through is refused", () => {
  const program = callFilter();
  const count = program.length / 8;
  expect(count).toBeLessThan(4_096);
  for (let at = 0; at < count; at++) {
    const [code, then, otherwise] = [program.readUInt16LE(at * 8), program[at * 8 + 2]!, program[at * 8 + 3]!];
    if ((code & 7) === 5) expect(at + 1 + Math.max(then, otherwise)).toBeLessThan(count);
  }
  expect([program.readUInt16LE((count - 1) * 8), program.readUInt32LE((count - 1) * 8 + 4)]).toEqual([6, 0x0005_0001]);
});

it("has nothing that makes a namespace, mounts, traces, loads or opens by a handle", () => {
  const allowed = allowedCalls();
  for (const name of [
    "unshare",
    "setns",
    "mount",
    "ptrace",
    "bpf",
    "keyctl",
    "io_uring_setup",
    "open_by_handle_at",
    "execveat",
  ])
    expect(allowed.has(name)).toBe(false);
});
