/** `npm run workstation -- VERB`: the virtual workstation from a developer's shell. */
import { existsSync } from "node:fs";
import path from "node:path";
import { joinSerial } from "../../packages/hv-patches/tools/serial.ts";
import { find, up } from "./workstation.ts";

const USAGE = `A whole sanitized workstation in QEMU: patched Xen, a Debian dom0, two guests.

usage: npm run workstation -- VERB

  up [--console PORT]...   build what is not cached and boot; dom0 reaches these loopback ports of this machine
  down                     end it; its disks are forgotten
  status [--json]          what runs
  console dom0|guest       its console (leave with Ctrl-])
  ssh [COMMAND]            a shell, or one command, in dom0
  plug IMAGE [--read-only] put an image into the USB controller as a stick
  unplug                   pull it out
  screenshot FILE          what the guest's display shows (.png or .ppm)
  install DEB              install a package in dom0, with what it needs

exit codes: 0 done, 1 failed (the reason is on standard error), 2 usage
`;

class Usage extends Error {}

/** For verbs that last: they leave the machine's monitor to those of other shells. */
async function joined() {
  const found = await running();
  found.vm.qmp.close();
  return found;
}

async function running() {
  const found = await find();
  if (found) return found;
  throw new Error("no workstation is running: npm run workstation -- up");
}

function consolePorts(args: readonly string[]): number[] {
  const ports: number[] = [];
  for (let at = 0; at < args.length; at += 2) {
    const port = Number(args[at + 1]);
    if (args[at] !== "--console" || !Number.isInteger(port) || port < 1 || port > 65_535)
      throw new Usage(`not understood: ${args.slice(at, at + 2).join(" ")}`);
    ports.push(port);
  }
  return ports;
}

/** Which options each verb knows, and what its one word is; no word where it takes none. */
const TAKES: Readonly<Record<string, { options?: readonly string[]; word?: string }>> = {
  down: {},
  status: { options: ["--json"] },
  console: { word: "dom0 or guest" },
  plug: { options: ["--read-only"], word: "an image" },
  unplug: {},
  screenshot: { word: "a file to write" },
  install: { word: "a .deb file" },
};

/** The verb's word, once nothing else is left over; before any machine is asked for. */
function wordOf(verb: string | undefined, args: readonly string[]): string {
  const takes = verb !== undefined && Object.hasOwn(TAKES, verb) ? TAKES[verb] : undefined;
  if (!takes) return "";
  const words = args.filter((arg) => !takes.options?.includes(arg));
  const [word, ...more] = takes.word === undefined ? ["", ...words] : words;
  const odd = [word ?? "", ...more].find((each) => each.startsWith("--")) ?? more[0];
  if (odd !== undefined) throw new Usage(`not understood: ${odd}`);
  if (word === undefined) throw new Usage(`${verb} needs ${takes.word}`);
  return word;
}

async function main(verb: string | undefined, args: readonly string[]): Promise<number> {
  const print = (text: string) => process.stdout.write(text.endsWith("\n") ? text : `${text}\n`);
  const word = wordOf(verb, args);
  switch (verb) {
    case "up": {
      const made = await up({ detached: true, consolePorts: consolePorts(args), say: print });
      print(`up: ${made.folder}\nnext: npm run workstation -- ssh`);
      return 0;
    }
    case "down": {
      const found = await find();
      await found?.down();
      print(found ? "down" : "nothing was running");
      return 0;
    }
    case "status": {
      const found = await find();
      const status = found ? await found.status() : { running: false as const };
      if (args.includes("--json")) print(JSON.stringify(status));
      else if (!status.running) print("no workstation is running");
      else {
        print(`process ${status.pid}, ssh on 127.0.0.1:${status.sshPort}`);
        for (const guest of status.guests) print(`${guest.name.padEnd(12)} id ${guest.id}  ${guest.memoryMiB} MiB`);
        print(`sticks: ${status.sticks.join(", ") || "none"}`);
      }
      return 0;
    }
    case "console": {
      if (word !== "dom0" && word !== "guest") throw new Usage(`console dom0 or console guest, not ${word}`);
      const workstation = await joined();
      if (word === "guest") return workstation.dom0.interactive("xl console -t pv primary");
      await joinSerial(path.join(workstation.folder, "serial.sock"), process.stdin, process.stdout);
      return 0;
    }
    case "ssh":
      return (await joined()).dom0.interactive(args.length === 0 ? undefined : args.join(" "));
    case "plug":
      if (!existsSync(word)) throw new Error(`there is no image ${word}`);
      await (await running()).plug(word, { readOnly: args.includes("--read-only") });
      return 0;
    case "unplug":
      await (await running()).unplug();
      return 0;
    case "screenshot":
      if (!/\.(png|ppm)$/.test(word)) throw new Usage(`screenshot writes .png or .ppm, not ${word}`);
      await (await running()).screenshot(word);
      return 0;
    case "install":
      print(await (await running()).install(word));
      return 0;
    case "--help":
    case "help":
      print(USAGE);
      return 0;
    default:
      throw new Usage(verb === undefined ? "a verb is needed" : `no such verb: ${verb}`);
  }
}

try {
  process.exit(await main(process.argv[2], process.argv.slice(3)));
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  if (error instanceof Usage) process.stderr.write(`\n${USAGE}`);
  process.exit(error instanceof Usage ? 2 : 1);
}
