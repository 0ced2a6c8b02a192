/** dom0's door → the texts that @sallyport/shared's isolation.ts judges. What cannot be read is absent. */
import { domainNames, fullAddress, LOWMEM_LEAVES, type Seen } from "@sallyport/shared/workstation/seen.ts";
import type { Dom0 } from "../../dom0/dom0.ts";

export type HypervisorDoor = Pick<Dom0, "run" | "readText" | "list" | "now">;

const COMMAND_MS_MAX = 10_000;
/** `xl dmesg` is the largest: Xen keeps 32 KiB unless told otherwise. */
const OUTPUT_BYTES_MAX = 1_048_576;
const GUESTS_MAX = 64;
const DEVICES_MAX = 256;
const PCI = "/sys/bus/pci/devices";

export async function look(dom0: HypervisorDoor, signal: AbortSignal): Promise<Seen> {
  const read = (path: string) => dom0.readText(path, 1_024).catch(() => undefined);
  const run = async (program: string, ...args: string[]) => {
    const limits = { timeoutMs: COMMAND_MS_MAX, outputBytesMax: OUTPUT_BYTES_MAX, signal };
    const ran = await dom0.run(program, args, limits).catch(() => undefined);
    return ran?.code === 0 ? ran.stdout : undefined;
  };
  const seen: Seen = { type: await read("/sys/hypervisor/type"), capabilities: await read("/proc/xen/capabilities") };
  if (seen.type?.trim() !== "xen" || !seen.capabilities?.includes("control_d")) return seen;

  const domains = await run("xl", "list");
  const lowmem: Record<string, string | undefined> = {};
  for (const leaf of LOWMEM_LEAVES) lowmem[leaf] = await run("xenhypfs", "cat", `/lowmem/${leaf}`);
  const assigned: Record<string, string | undefined> = {};
  for (const [id, name] of [...domainNames(domains)].slice(0, GUESTS_MAX))
    if (id !== 0) assigned[name] = await run("xl", "pci-list", String(id));
  const devices: NonNullable<Seen["devices"]> = {};
  const found = (await dom0.list(PCI).catch(() => undefined)) ?? [];
  for (const sbdf of found.filter((each) => fullAddress(each) === each).slice(0, DEVICES_MAX))
    devices[sbdf] = { class: await read(`${PCI}/${sbdf}/class`), irq: await read(`${PCI}/${sbdf}/irq`) };
  const info = await run("xl", "info");
  return { ...seen, info, dmesg: await run("xl", "dmesg"), domains, lowmem, assigned, devices };
}
