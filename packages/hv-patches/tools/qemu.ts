/** Trixie's QEMU, out of the cached root and through its own loader → a machine with a bound on time and a serial log. */
import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, closeSync, constants, existsSync, openSync, readFileSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type Program, programOf, type Root } from "./debian.ts";
import { connectQmp, type Qmp } from "./qmp.ts";
import { typeInto } from "./serial.ts";

const POLL_MS = 100;
const QUIT_MS_MAX = 4_000;
/** QEMU that refuses its arguments ends at once; one that is there and silent this long is a busy machine's. */
const MONITOR_MS_MAX = 60_000;
const TAIL_CHARACTERS_MAX = 3_000;

function systemEmulator(root: Root): Program {
  const { program, args } = programOf(root, "usr/bin/qemu-system-x86_64");
  const firmware = ["usr/share/qemu", "usr/share/seabios", "usr/lib/ipxe/qemu"];
  return { program, args: [...args, ...firmware.flatMap((each) => ["-L", path.join(root.tree, each)])] };
}

/** KVM only where this user may open it and where it can carry a hypervisor inside (nested); emulation otherwise. */
export function accelerator(): "kvm" | "tcg" {
  if (process.env.SALLYPORT_ACCEL === "tcg" || process.env.SALLYPORT_ACCEL === "kvm")
    return process.env.SALLYPORT_ACCEL;
  try {
    accessSync("/dev/kvm", constants.R_OK | constants.W_OK);
    closeSync(openSync("/dev/kvm", "r+"));
  } catch {
    return "tcg";
  }
  const nested = ["kvm_intel", "kvm_amd"].map((module) => `/sys/module/${module}/parameters/nested`);
  return nested.some((file) => existsSync(file) && /^[Y1]/.test(readFileSync(file, "utf8"))) ? "kvm" : "tcg";
}

/** Processor and accelerator that carry Xen: TCG has only AMD's SVM, and traps MWAIT with a fault Xen does not expect. */
export function board(): string[] {
  return accelerator() === "kvm"
    ? ["-M", "q35", "-accel", "kvm", "-cpu", "host"]
    : ["-M", "q35", "-accel", "tcg", "-cpu", "EPYC,+svm,+npt,-monitor"];
}

export class VmTimeout extends Error {
  override readonly name = "VmTimeout";
}
export class VmExited extends Error {
  override readonly name = "VmExited";
}

export type VmOptions = {
  root: Root;
  /** A folder of this machine's own: serial log, sockets, process id. */
  folder: string;
  /** Everything after the board: `-m`, `-smp`, `-kernel`, drives, devices. Relative paths are relative to `folder`. */
  args: readonly string[];
  /** When this much time is over the machine is killed, whatever it does. 0: it stays until somebody stops it. */
  boundMs: number;
  /** It outlives this process (the command line's `up`). */
  detached?: boolean;
};

export type Vm = {
  folder: string;
  pid: number;
  /** What came out of the first serial line so far. */
  serial(): string;
  /** Writes to the first serial line. */
  type(text: string): Promise<void>;
  qmp: Qmp;
  running(): boolean;
  /** Waits until the serial log, from `from` on, has the pattern; throws `VmTimeout` or `VmExited` with its last lines. */
  waitFor(what: string, pattern: RegExp, timeoutMs: number, from?: number): Promise<RegExpExecArray>;
  /** Quits QEMU; its disks are flushed. Idempotent. */
  stop(): Promise<void>;
};

/** Starts QEMU and returns when its monitor answers; the guest has then run for some milliseconds. */
export async function startVm(options: VmOptions): Promise<Vm> {
  const { folder } = options;
  await mkdir(folder, { recursive: true });
  for (const stale of ["serial.log", "qmp.sock", "found.sock", "serial.sock", "qemu.log", "pid"])
    await rm(path.join(folder, stale), { force: true });
  const qemu = systemEmulator(options.root);
  const args = [
    ...qemu.args,
    ...board(),
    ...["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"],
    ...["-chardev", "socket,id=serial0,path=serial.sock,server=on,wait=off,logfile=serial.log"],
    ...["-serial", "chardev:serial0", "-qmp", "unix:qmp.sock,server=on,wait=off"],
    // A monitor serves one at a time: this one is for whoever finds the machine while its starter still watches it.
    ...["-qmp", "unix:found.sock,server=on,wait=off"],
    ...options.args,
  ];
  const log = openSync(path.join(folder, "qemu.log"), "w");
  const child = spawn(qemu.program, args, {
    cwd: folder,
    stdio: ["ignore", log, log],
    detached: options.detached ?? false,
  });
  closeSync(log);
  const pid = await new Promise<number>((resolve, reject) => {
    child.once("spawn", () => resolve(child.pid!));
    child.once("error", (cause) => reject(new Error("QEMU could not be started", { cause })));
  });
  await writeFile(path.join(folder, "pid"), `${pid}\n`);
  if (options.detached) child.unref();
  return openVm(folder, pid, child, options.boundMs);
}

/** The machine that an earlier process started in this folder, if it still runs. */
export async function findVm(folder: string): Promise<Vm | undefined> {
  const pid = await processOf(folder);
  return pid === undefined ? undefined : openVm(folder, pid, undefined, 0);
}

/** The process id in a machine's folder, if that process is still the QEMU of this folder. */
export async function processOf(folder: string): Promise<number | undefined> {
  const pid = Number(await readFile(path.join(folder, "pid"), "utf8").catch(() => ""));
  if (!Number.isInteger(pid) || pid <= 0) return undefined;
  const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  return command.includes("qemu-system-x86_64") && command.includes("qmp.sock") ? pid : undefined;
}

async function openVm(folder: string, pid: number, child: ChildProcess | undefined, boundMs: number): Promise<Vm> {
  let exit: string | undefined;
  const onExit = (code: number | null, signal: NodeJS.Signals | null) => {
    exit = code === null ? `killed by ${signal}` : `code ${code}`;
  };
  // one that refuses its arguments may have ended by now
  if (child && (child.exitCode !== null || child.signalCode !== null)) onExit(child.exitCode, child.signalCode);
  else child?.once("exit", onExit);
  const alive = () => {
    if (exit !== undefined) return false;
    if (child) return true;
    try {
      process.kill(pid, 0);
      return true;
    } catch {
      exit = "ended";
      return false;
    }
  };
  const kill = (signal: NodeJS.Signals) => {
    if (alive()) process.kill(pid, signal);
  };
  const read = (file: string) => {
    const at = path.join(folder, file);
    return existsSync(at) ? readFileSync(at, "latin1") : "";
  };
  const serial = () => read("serial.log");
  const lastWords = () => `--- ${folder}\n${read("qemu.log").slice(-1_000)}${serial().slice(-TAIL_CHARACTERS_MAX)}`;
  const exited = (what: string) => new VmExited(`QEMU ended (${exit}) while waiting for ${what}\n${lastWords()}`);

  const onProcessExit = () => kill("SIGKILL");
  let boundOver = false;
  const bound =
    boundMs === 0
      ? undefined
      : setTimeout(() => {
          boundOver = true;
          kill("SIGKILL");
        }, boundMs);
  bound?.unref();
  if (boundMs !== 0) process.once("exit", onProcessExit);

  const monitor = async (): Promise<Qmp> => {
    for (const end = Date.now() + MONITOR_MS_MAX; ; await delay(POLL_MS)) {
      if (!alive()) throw exited("its monitor");
      try {
        return await connectQmp(path.join(folder, child ? "qmp.sock" : "found.sock"));
      } catch (cause) {
        if (Date.now() < end) continue;
        // A machine that somebody else started is not ours to kill: its monitor may be busy with them.
        if (child) kill("SIGKILL");
        throw new VmTimeout(`QEMU's monitor did not answer\n${lastWords()}`, { cause });
      }
    }
  };
  const qmp = await monitor();

  return {
    folder,
    pid,
    qmp,
    serial,
    running: alive,
    type: (text) => typeInto(path.join(folder, "serial.sock"), text),
    async waitFor(what, pattern, timeoutMs, from = 0) {
      for (const end = Date.now() + timeoutMs; ; await delay(POLL_MS)) {
        const match = pattern.exec(serial().slice(from));
        if (match) return match;
        if (!alive()) {
          if (boundOver)
            throw new VmTimeout(`the bound of ${boundMs / 1000} s is over; missing: ${what}\n${lastWords()}`);
          throw exited(what);
        }
        if (Date.now() > end) throw new VmTimeout(`no ${what} within ${timeoutMs / 1000} s\n${lastWords()}`);
      }
    },
    async stop() {
      if (alive()) await qmp.run("quit").catch(() => {});
      for (const end = Date.now() + QUIT_MS_MAX; alive() && Date.now() < end; ) await delay(POLL_MS);
      kill("SIGKILL");
      qmp.close();
      clearTimeout(bound);
      process.removeListener("exit", onProcessExit);
      await rm(path.join(folder, "pid"), { force: true });
    },
  };
}
