/** A USB device as dom0 sees it before any driver binds. Ids, port and descriptors are the bus's; names are its claims. */
import { z } from "zod";
import { concat, toBase64, toHex, toUtf8 } from "../base/bytes.ts";
import type { Hash } from "../base/crypto.ts";
import { fail, ok, type Result } from "../base/result.ts";
import { readDescriptors } from "./descriptors.ts";
import type { DeviceFacts } from "./rules/match.ts";

/** `usb1`, `1-2`, `1-2.4.1`: as the kernel calls a root hub or what is plugged in at a port. */
export const UsbPort = z
  .string()
  .regex(/^(?:usb\d{1,3}|\d{1,3}-\d{1,3}(?:\.\d{1,3}){0,6})$/, "a port as the kernel has it");
export type UsbPort = z.infer<typeof UsbPort>;

const claim = z.string().max(512);
const interfaceType = z.string().regex(/^[0-9a-f]{2}:[0-9a-f]{2}:[0-9a-f]{2}$/);

export const UsbDevice = z.object({
  port: UsbPort,
  /** Change with each plugging in. */
  bus: z.int().min(0),
  address: z.int().min(0),
  /** `0951:1666` */
  id: z.string().regex(/^[0-9a-f]{4}:[0-9a-f]{4}$/),
  serial: claim,
  name: claim,
  maker: claim,
  /** Every alternate setting of every configuration, in order. */
  interfaces: z.array(interfaceType).max(256),
  /** Interfaces, alternates not counted, of all configurations. */
  interfaceCount: z.int().min(0),
  /** Mbit/s */
  speed: z.string().max(16),
  connectType: z.string().max(32),
  /** sha256 of the raw descriptors, hex. */
  descriptors: z.string().regex(/^[0-9a-f]{64}$/),
  /** As USBGuard makes it: base64 of sha256 over name, vendor, product, serial and descriptors. */
  hash: z.string().max(64),
  parentHash: z.string().max(64),
});
export type UsbDevice = z.infer<typeof UsbDevice>;

/** What sysfs says of a device, unread. */
export type RawDevice = Pick<
  UsbDevice,
  "port" | "bus" | "address" | "serial" | "name" | "maker" | "speed" | "connectType"
> & {
  vendor: string;
  product: string;
  descriptors: Uint8Array;
};

export const usbguardHash = (hash: Hash, raw: RawDevice): string =>
  toBase64(hash(concat(toUtf8(`${raw.name}${raw.vendor}${raw.product}${raw.serial}`), raw.descriptors)));

/** Why it cannot be judged, where its descriptors do not add up or contradict the bus. */
export function readDevice(hash: Hash, raw: RawDevice, parentHash: string): Result<UsbDevice> {
  const read = readDescriptors(raw.descriptors);
  if (!read.ok) return read;
  const { id, interfaces } = read.value;
  if (id !== `${raw.vendor}:${raw.product}`.toLowerCase())
    return fail(`its descriptors say ${id}, the bus says ${raw.vendor}:${raw.product}`);
  const device = UsbDevice.safeParse({
    port: raw.port,
    bus: raw.bus,
    address: raw.address,
    id,
    serial: raw.serial,
    name: raw.name,
    maker: raw.maker,
    interfaces: interfaces.map(({ type }) => type),
    interfaceCount: new Set(interfaces.map(({ configuration, number }) => `${configuration}.${number}`)).size,
    speed: raw.speed,
    connectType: raw.connectType,
    descriptors: toHex(hash(raw.descriptors)),
    hash: usbguardHash(hash, raw),
    parentHash,
  });
  return device.success ? ok(device.data) : fail(z.prettifyError(device.error));
}

export const ruleFacts = (device: UsbDevice): DeviceFacts => ({
  id: device.id,
  serial: device.serial,
  name: device.name,
  hash: device.hash,
  parentHash: device.parentHash,
  viaPort: device.port,
  interfaces: device.interfaces,
  interfaceCount: device.interfaceCount,
  connectType: device.connectType,
});

/** One plugging in of one device: what ties its records together. */
export const stickId = (device: Pick<UsbDevice, "port" | "id" | "address">): string =>
  `${device.port}/${device.id}/${device.address}`;

/** The same device in the same plugging in. */
export const isSamePlugging = (a: UsbDevice, b: UsbDevice): boolean =>
  a.port === b.port && a.bus === b.bus && a.address === b.address && a.descriptors === b.descriptors;

/** A device that is allowed by its place and content alone: boot keyboards, and the hubs on the way to them. */
export const UsbPin = z.strictObject({ port: UsbPort, descriptors: z.string().regex(/^[0-9a-f]{64}$/) });
export type UsbPin = z.infer<typeof UsbPin>;

export const isPinned = (device: UsbDevice, pins: readonly UsbPin[]): boolean =>
  pins.some(({ port, descriptors }) => port === device.port && descriptors === device.descriptors);

/** Boot keyboards speak a protocol that needs no driver of their own. */
export const BOOT_KEYBOARD = "03:01:01";
