/** Network namespaces of this test's own: made, entered, and gone at the end whatever happens. */
import { execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { promisify } from "node:util";
import type { Dom0 } from "../../src/dom0/dom0.ts";
import { realDom0 } from "../../src/dom0/real.ts";

const execute = promisify(execFile);
const PROGRAMS: Record<string, string> = {
  nft: "nftables",
  ip: "iproute2",
  ulogd: "ulogd2",
  python3: "python3",
};

/** Names what is missing: with CI set an absent package is a failure. A machine that lets nobody make a namespace is a
 *  reason to leave the tests out, said aloud. */
export async function unable(...programs: string[]): Promise<string | null> {
  const absent = programs.filter(
    (name) => !["/usr/bin", "/usr/sbin"].some((folder) => existsSync(`${folder}/${name}`)),
  );
  if (absent.length > 0) {
    const text = `${absent.join(", ")} missing: apt-get install ${absent.map((name) => PROGRAMS[name] ?? name).join(" ")}`;
    if (process.env.CI) throw new Error(text);
    return left(text);
  }
  const probe = `sp${process.pid}-probe`;
  try {
    await execute("ip", ["netns", "add", probe]);
    await execute("ip", ["netns", "exec", probe, "nft", "add", "table", "inet", "probe"]);
    return null;
  } catch (error) {
    return left(
      `this user or kernel cannot make network namespaces with nftables (root can): ${(error as Error).message}`,
    );
  } finally {
    await execute("ip", ["netns", "del", probe]).catch(() => {});
  }
}

function left(text: string): string {
  process.stderr.write(`left out: ${text}\n`);
  return text;
}

export type Namespaces = {
  /** The full name of a namespace. */
  of(name: string): string;
  /** Runs in a namespace. @throws with what it said */
  run(name: string, program: string, ...args: string[]): Promise<string>;
  /** `ip -n NAME …`, line by line. @throws at the first that is refused */
  ip(name: string, ...lines: string[]): Promise<string>;
  /** This machine through the door, but its programs run in the namespace. */
  dom0(name: string): Dom0;
  spawn(name: string, program: string, args: readonly string[]): ReturnType<typeof spawn>;
  remove(): Promise<void>;
};

export async function makeNamespaces(names: readonly string[]): Promise<Namespaces> {
  const prefix = `sp${process.pid}${Math.random().toString(36).slice(2, 6)}`;
  const of = (name: string) => `${prefix}-${name}`;
  const run = async (name: string, program: string, ...args: string[]) =>
    (await execute("ip", ["netns", "exec", of(name), program, ...args], { env: { ...process.env, TZ: "UTC" } })).stdout;
  const children: ReturnType<typeof spawn>[] = [];
  for (const name of names) {
    await execute("ip", ["netns", "add", of(name)]);
    await execute("ip", ["-n", of(name), "link", "set", "lo", "up"]);
    // the wire carries what the test sends and nothing of the kernel's own that can be turned off
    const settings = [
      "ipv4/conf/all/rp_filter=0",
      "ipv4/conf/default/rp_filter=0",
      "ipv6/conf/all/accept_ra=0",
      "ipv6/conf/default/accept_ra=0",
      "ipv6/conf/default/accept_dad=0",
      "ipv6/conf/default/router_solicitations=0",
      "ipv4/icmp_ratelimit=0",
    ];
    const script = settings
      .map((each) => `echo ${each.split("=")[1]} > /proc/sys/net/${each.split("=")[0]}`)
      .join("; ");
    await run(name, "sh", "-c", script);
  }
  return {
    of,
    run,
    ip: (name, ...lines) => run(name, "sh", "-c", `printf '%s\\n' "$@" | ip -batch -`, "sh", ...lines),
    dom0: (name) => ({
      ...realDom0,
      run: (program, args, limits) => realDom0.run("ip", ["netns", "exec", of(name), program, ...args], limits),
    }),
    spawn(name, program, args) {
      const child = spawn("ip", ["netns", "exec", of(name), program, ...args], { stdio: ["pipe", "pipe", "inherit"] });
      children.push(child);
      return child;
    },
    async remove() {
      for (const child of children) {
        if (child.exitCode !== null || child.signalCode !== null) continue;
        const ended = new Promise((resolve) => child.once("close", resolve));
        child.kill("SIGKILL");
        await ended;
      }
      for (const name of names) await execute("ip", ["netns", "del", of(name)]).catch(() => {});
    },
  };
}
