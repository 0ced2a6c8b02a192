/** Who may write and read which topic, by the certificate's common name. Pure; Mosquitto is given the same by pattern
 *  (deploy/mosquitto/acl). */
import { WorkstationId } from "@sallyport/shared/base/ids.ts";
import { DOWN, REFUSED, topic, UP } from "@sallyport/shared/wire/topics.ts";

/** The worker's own certificate bears this name; a workstation's bears its id. */
export const WORKER = "worker";
const PREFIX = "sallyport/";

export function mayPublish(name: string, to: string): boolean {
  if (name === WORKER) return to.startsWith(PREFIX) && !/[+#]/.test(to) && !to.endsWith(`/${REFUSED}`);
  const workstation = WorkstationId.safeParse(name);
  return workstation.success && UP.some((channel) => topic(workstation.data, channel) === to);
}

export function maySubscribe(name: string, filter: string): boolean {
  if (name === WORKER) return filter.startsWith(PREFIX);
  const workstation = WorkstationId.safeParse(name);
  return workstation.success && DOWN.some((channel) => topic(workstation.data, channel) === filter);
}
