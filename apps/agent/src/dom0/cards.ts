/** network applier → xenstore. The MAC that Xen gave each guest's device: /sys says fe:ff:ff:ff:ff:ff of all of them. Read
 *  from the backend's own folder, in which a guest can write nothing (docs/misc/xenstore-paths of Xen). */
import { type Dom0, DoorError } from "./dom0.ts";

/** A guest's device, by its name in dom0. */
export type Card = { device: string; mac: string };
/** Those of all running guests; nothing where there is no xenstore. @throws DoorError where it does not answer */
export type Cards = () => Promise<Card[] | undefined>;

const XENSTORE_MS_MAX = 10_000;
const BACKENDS = "/local/domain/0/backend/vif";
const CARDS_MAX = 1_024;

export const xenCards =
  (dom0: Pick<Dom0, "run" | "facts">): Cards =>
  async () => {
    // without Xen there is neither, and nothing to complain of
    if (!(await dom0.facts("/proc/xen/xenbus")) && !(await dom0.facts("/dev/xen/xenbus"))) return undefined;
    const ran = await dom0.run("xenstore-ls", ["-f", BACKENDS], { timeoutMs: XENSTORE_MS_MAX });
    if (ran.code === 0) return readCards(ran.stdout);
    // as long as no guest has had a vif
    if (/No such file|ENOENT/i.test(ran.stderr)) return [];
    const words = ran.timedOut ? `no answer in ${XENSTORE_MS_MAX / 1000} s` : ran.stderr.trim().split("\n")[0];
    throw new DoorError(`xenstore-ls ${BACKENDS}: ${words || `exit ${ran.code}`}`);
  };

/** `/local/domain/0/backend/vif/5/0/mac = "00:16:3e:…"`, one a line. */
export function readCards(listing: string): Card[] {
  const found = new Map<string, { mac?: string; vifname?: string }>();
  for (const line of listing.split("\n")) {
    const [, place, key, value] = /\/backend\/vif\/(\d{1,5}\/\d{1,5})\/(mac|vifname) = "([^"]{1,64})"/.exec(line) ?? [];
    if (!place || found.size >= CARDS_MAX) continue;
    found.set(place, { ...found.get(place), [key!]: value });
  }
  return [...found].flatMap(([place, { mac, vifname }]) =>
    mac && /^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(mac)
      ? [{ device: vifname ?? `vif${place.replace("/", ".")}`, mac: mac.toLowerCase() }]
      : [],
  );
}
