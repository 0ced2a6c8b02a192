/** Gate → the kernel's claim of a hub's port: while it stands no driver of dom0's is given what is plugged in there, whoever
 *  asks for one (usb_probe_interface in drivers/usb/core/driver.c); programs take its interfaces all the same. It stands as
 *  long as a process has the hub's node open: a perl (perl.ts). */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { DoorError } from "./dom0.ts";
import { PERL } from "./perl.ts";

/** `isOver`: it ended by itself, and stands no more. Let go twice is let go once. */
export type PortClaim = { isOver(): boolean; letGo(): Promise<void> };
/** `hub` is its node, `port` its number on that hub, from 1. @throws DoorError where the kernel does not give it */
export type ClaimPort = (hub: string, port: number) => Promise<PortClaim>;

/** USBDEVFS_CLAIM_PORT of linux/usbdevice_fs.h: `_IOR('U', 24, unsigned int)`. */
const USBDEVFS_CLAIM_PORT = 0x8004_5518;
/** Ends with its standard input, so with whoever holds that: no claim outlives the agent. */
const PROGRAM = `
my ($node, $port, $request) = @ARGV;
my ($hub, $number) = (undef, pack("I", $port));
sysopen($hub, $node, 2) && ioctl($hub, $request, $number) or do { printf "%d %s\\n", $!, $!; exit 1 };
$| = 1;
print "claimed\\n";
1 while sysread(STDIN, my $rest, 64);
`;
/** The kernel's lock on a hub is held while something behind it is reset. */
const ANSWER_MS = 20_000;
/** An earlier life of the agent may be letting go of it still. */
const BUSY = 16;
const BUSY_MS = 2_000;
const BUSY_EVERY_MS = 100;
const SAID_CHARS_MAX = 200;

/** `request` is another only in tests, where nothing is a hub. */
export const claimPort =
  ({ program = PERL, request = USBDEVFS_CLAIM_PORT } = {}): ClaimPort =>
  async (hub, port) => {
    const refuse = (why: string, cause?: unknown) =>
      new DoorError(`the kernel does not give the claim of port ${port} of ${hub}: ${why}`, { cause });
    for (const until = performance.now() + BUSY_MS; ; ) {
      const answer = await ask([hub, port, request].map(String), program);
      if ("claim" in answer) return answer.claim;
      if (answer.code !== BUSY || performance.now() > until) throw refuse(answer.why, answer.cause);
      await new Promise((resolve) => setTimeout(resolve, BUSY_EVERY_MS));
    }
  };

type Answer = { claim: PortClaim } | { code?: number; why: string; cause?: unknown };

async function ask(args: readonly string[], program: string): Promise<Answer> {
  // nothing of the agent's environment chooses what perl runs
  const child = spawn(program, ["-e", PROGRAM, ...args], { stdio: ["pipe", "pipe", "ignore"], env: {} });
  let isOver = false;
  let fault: Error | undefined;
  const over = new Promise<void>((resolve) => {
    const end = (error?: Error) => {
      isOver = true;
      fault ??= error;
      resolve();
    };
    child.once("error", end);
    child.once("close", () => end());
  });
  child.stdin.on("error", () => {});
  const letGo = async () => {
    if (!isOver) child.kill("SIGKILL");
    await over;
  };
  const timer = setTimeout(() => child.kill("SIGKILL"), ANSWER_MS);
  try {
    let said = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(0, SAID_CHARS_MAX);
    });
    while (!isOver && !said.includes("\n")) await Promise.race([over, once(child.stdout, "data")]);
    if (said === "claimed\n" && !isOver) return { claim: { isOver: () => isOver, letGo } };
    await letGo();
    if (fault) return { why: `${program} cannot be started: ${fault.message}`, cause: fault };
    const [, code, why] = /^(\d+) (.+)\n/.exec(said) ?? [];
    if (code !== undefined && why !== undefined) return { code: Number(code), why };
    return { why: `${program} ended without an answer` };
  } finally {
    clearTimeout(timer);
  }
}
