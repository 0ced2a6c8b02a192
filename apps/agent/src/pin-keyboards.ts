/** `sallyport-agent pin-keyboards`: the boot keyboards that are there now, and the hubs on the way to them, into the agent's
 *  configuration. Afterwards the gate lets in exactly these, each at its port and with its descriptors, so that nobody is
 *  locked out at the disk's pass phrase; every other device is held. */
import { readFileSync } from "node:fs";
import { BOOT_KEYBOARD, type UsbDevice, type UsbPin } from "@sallyport/shared/usb/device.ts";
import { AgentConfig, ConfigError } from "./config.ts";
import { parentOf, type UsbPorts } from "./dom0/usb.ts";
import { replaceFile } from "./enrol/folder.ts";

export type Pinned = { pins: UsbPin[]; devices: UsbDevice[]; unreadable: string[] };

/** A keyboard that is more than boot interfaces of class 03 is pinned by content all the same: what it is now is what a
 *  person sees at it. One that is also storage is not. */
export const isKeyboard = ({ interfaces }: Pick<UsbDevice, "interfaces">): boolean =>
  interfaces.includes(BOOT_KEYBOARD) && interfaces.every((type) => type.startsWith("03:"));

/** Changes nothing. */
export async function findKeyboards(ports: Pick<UsbPorts, "plugged" | "read">): Promise<Pinned> {
  const found = new Map<string, UsbDevice>();
  const unreadable: string[] = [];
  for (const { port } of await ports.plugged()) {
    const read = await ports.read(port);
    if (read?.ok) found.set(port, read.value);
    else if (read) unreadable.push(`${port}: ${read.error}`);
  }
  const wanted = new Set<string>();
  for (const device of found.values()) {
    if (!isKeyboard(device)) continue;
    for (let port = device.port; !port.startsWith("usb"); port = parentOf(port)) wanted.add(port);
  }
  const devices = [...found.values()].filter(({ port }) => wanted.has(port));
  return { pins: devices.map(({ port, descriptors }) => ({ port, descriptors })), devices, unreadable };
}

/** Writes them into the configuration file, whole or not at all; the rest of it stays. @throws ConfigError */
export function keepPins(path: string, pins: readonly UsbPin[]): void {
  let config: Record<string, unknown> = {};
  try {
    config = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT")
      throw new ConfigError(`The configuration ${path} cannot be read: ${(error as Error).message}`, { cause: error });
  }
  const next = { ...config, usb: { ...(config.usb as object | undefined), pins } };
  if (!AgentConfig.safeParse(next).success)
    throw new ConfigError(`The configuration ${path} holds something else that is refused; nothing was changed.`);
  replaceFile(path, `${JSON.stringify(next, null, 2)}\n`);
}
