/** How a guest is reached → what attaches to it. */
import type { Attach } from "./attach.ts";
import { qmp } from "./attach-qmp.ts";
import { xl } from "./attach-xl.ts";
import type { Dom0 } from "./dom0.ts";

/** How the guest is reached. `xl`: a Xen guest by its name. `qmp`: QEMU's Unix socket. */
export type AttachPlace = { by: "xl"; guest: string } | { by: "qmp"; socket: string };

export const attachTo = (dom0: Pick<Dom0, "run">, place: AttachPlace): Attach =>
  place.by === "xl" ? xl(dom0, place.guest) : qmp(place.socket);
