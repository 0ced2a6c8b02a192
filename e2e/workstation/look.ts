/** dom0 → the texts that isolation.ts judges, gathered over ssh in one go; the agent gathers the same in dom0 itself. */
import { LOWMEM_LEAVES, type Seen } from "@sallyport/shared/workstation/seen.ts";
import type { Ssh } from "./ssh.ts";

const SCRIPT = `
show() { printf '\\n=== %s\\n' "$1"; shift; "$@" 2> /dev/null || true; }
show type cat /sys/hypervisor/type
show capabilities cat /proc/xen/capabilities
show info xl info
show dmesg xl dmesg
show domains xl list
for leaf in ${LOWMEM_LEAVES.join(" ")}; do show "lowmem $leaf" xenhypfs cat "/lowmem/$leaf"; done
for guest in $(xl list | awk 'NR > 2 { print $1 }'); do show "assigned $guest" xl pci-list "$guest"; done
for device in /sys/bus/pci/devices/*; do
	show "class \${device##*/}" cat "$device/class"
	show "irq \${device##*/}" cat "$device/irq"
done
`;

export async function look(dom0: Ssh): Promise<Seen> {
  const said = await dom0.run(SCRIPT, { timeoutMs: 240_000 });
  return seenFrom(said);
}

/** The script's sections, each under its own title. */
export function seenFrom(said: string): Seen {
  const sections = new Map<string, string>();
  for (const part of said.split(/^=== /m).slice(1)) {
    const end = part.indexOf("\n");
    const text = part.slice(end + 1).trimEnd();
    if (text !== "") sections.set(part.slice(0, end), text);
  }
  const group = (start: string) =>
    [...sections].flatMap(([title, text]): [string, string][] =>
      title.startsWith(`${start} `) ? [[title.slice(start.length + 1), text]] : [],
    );
  const irqs = new Map(group("irq"));
  return {
    ...Object.fromEntries(
      ["type", "capabilities", "info", "dmesg", "domains"].map((title) => [title, sections.get(title)]),
    ),
    lowmem: Object.fromEntries(group("lowmem")),
    assigned: Object.fromEntries(group("assigned")),
    devices: Object.fromEntries(group("class").map(([sbdf, text]) => [sbdf, { class: text, irq: irqs.get(sbdf) }])),
  };
}
