/** A pretend USB device: what it claims to be, and the descriptors that say so (USB 2.0, 9.6). */

/** Alternate settings of one interface: `[["08:06:50"]]` is a stick, `[["08:06:50"], ["03:01:01"]]` one with a keyboard. */
export type SimInterfaces = readonly (readonly string[])[];
export type SimDevice = {
  interfaces?: SimInterfaces;
  vendor?: string;
  product?: string;
  serial?: string;
  name?: string;
  maker?: string;
  /** Each logical unit's bytes: a file or block device; null is one without a medium. */
  units?: readonly (string | null)[];
  /** As the device sends them, where a test bends them. */
  descriptors?: Uint8Array;
  /** Binds these instead of what the descriptors say, as firmware that changes its mind would. */
  binds?: readonly string[];
  /** The driver of dom0's that wins each of its interfaces, where another is there than the one for its kind. */
  driver?: string;
};

/** Two bulk endpoints, in and out, of 512 bytes. */
const BULK_BOTH_WAYS = [7, 5, 0x81, 2, 0, 2, 0, 7, 5, 0x02, 2, 0, 2, 0];

/** A device descriptor, one configuration, and its interfaces with their alternate settings. */
export function simDescriptors({ vendor = "0951", product = "1666", interfaces = [["08:06:50"]] }: SimDevice): Buffer {
  const faces = interfaces.flatMap((alternates, number) =>
    alternates.flatMap((type, alternate) => [
      9,
      4,
      number,
      alternate,
      type.startsWith("08:") ? 2 : 0,
      ...Buffer.from(type.replaceAll(":", ""), "hex"),
      0,
      ...(type.startsWith("08:") ? BULK_BOTH_WAYS : []),
    ]),
  );
  const device = Buffer.from([18, 1, 0, 2, 0, 0, 0, 64, 0, 0, 0, 0, 0, 1, 1, 2, 3, 1]);
  device.writeUInt16LE(Number.parseInt(vendor, 16), 8);
  device.writeUInt16LE(Number.parseInt(product, 16), 10);
  const configuration = Buffer.from([9, 2, 0, 0, interfaces.length, 1, 0, 0x80, 50]);
  configuration.writeUInt16LE(9 + faces.length, 2);
  return Buffer.concat([device, configuration, Buffer.from(faces)]);
}
