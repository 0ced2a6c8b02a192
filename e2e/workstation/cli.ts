/** `npm run workstation -- VERB`: the virtual workstation from a developer's shell. */
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

async function main(verb: string | undefined, args: readonly string[]): Promise<number> {
  const print = (text: string) => process.stdout.write(text.endsWith("\n") ? text : `${text}\n`);
  const one = (what: string) => {
    if (args[0] === undefined) throw new Usage(`${verb} needs ${what}`);
    return args[0];
  };
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
      const which = one("dom0 or guest");
      const workstation = await joined();
      if (which === "guest") return workstation.dom0.interactive("xl console -t pv primary");
      if (which !== "dom0") throw new Usage(`console dom0 or console guest, not ${which}`);
      await joinSerial(path.join(workstation.folder, "serial.sock"), process.stdin, process.stdout);
      return 0;
    }
    case "ssh":
      return (await joined()).dom0.interactive(args.length === 0 ? undefined : args.join(" "));
    case "plug":
      await (await running()).plug(one("an image"), { readOnly: args.includes("--read-only") });
      return 0;
    case "unplug":
      await (await running()).unplug();
      return 0;
    case "screenshot":
      await (await running()).screenshot(one("a file to write"));
      return 0;
    case "install":
      print(await (await running()).install(one("a .deb file")));
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
