/** Commands in dom0, over one shared ssh connection through a loopback port. Trixie's ssh, so that none need be here. */
import { spawn } from "node:child_process";
import path from "node:path";
import { programOf } from "../../packages/hv-patches/tools/debian.ts";
import { run } from "../../packages/hv-patches/tools/run.ts";
import type { Build } from "./build.ts";

/** Seconds on an idle machine; emulation beside another suite takes many times as long. */
const COMMAND_MS_MAX = 180_000;

export type Ssh = {
  /** The command's standard output; throws with its standard error when it does not end with 0. */
  run(command: string, options?: { input?: string | Uint8Array; timeoutMs?: number }): Promise<string>;
  /** Joins this process' terminal to a command, or to a login shell. Gives the exit code. */
  interactive(command?: string): Promise<number>;
  /** Gives up the shared connection: the machine behind it was put back to another moment. */
  reset(): Promise<void>;
};

export function sshTo(build: Build, folder: string, port: number): Ssh {
  const { program, args } = programOf(build.root, "usr/bin/ssh");
  const options = [
    ...["-F", "/dev/null", "-i", build.sshKey, "-p", String(port), "-l", "root"],
    ...["-o", `UserKnownHostsFile=${build.knownHosts}`, "-o", "HostKeyAlias=dom0", "-o", "StrictHostKeyChecking=yes"],
    ...["-o", "IdentitiesOnly=yes", "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=120"],
    ...["-o", "HostKeyAlgorithms=ssh-ed25519", "-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=20"],
  ];
  // One handshake costs seconds under emulation. The socket's path must be short: it is relative to the folder.
  const shared = ["-o", "ControlMaster=auto", "-o", "ControlPath=ssh.sock", "-o", "ControlPersist=600"];
  return {
    run: (command, { input, timeoutMs = COMMAND_MS_MAX } = {}) =>
      run(program, [...args, ...options, ...shared, "127.0.0.1", command], {
        cwd: folder,
        timeoutMs,
        ...(input === undefined ? {} : { input }),
      }),
    interactive: (command) =>
      new Promise<number>((resolve, reject) => {
        const tail = ["-t", "127.0.0.1", ...(command === undefined ? [] : [command])];
        const child = spawn(program, [...args, ...options, ...tail], { cwd: path.resolve(folder), stdio: "inherit" });
        child.once("error", reject);
        child.once("exit", (code) => resolve(code ?? 1));
      }),
    reset: async () => {
      await run(program, [...args, ...options, ...shared, "-O", "exit", "127.0.0.1"], {
        cwd: folder,
        accept: [255],
      }).catch(() => {});
    },
  };
}
