/** A held device's raw descriptors (sysfs `descriptors`: the device's, then each configuration's) → what it says it is.
 *  USB 2.0, chapter 9. Written by the device: every length is checked, and what does not add up is an error, never a
 *  guess, since the kernel may read it otherwise than we do. */
import { fail, ok, type Result } from "../base/result.ts";

export type UsbInterface = {
  /** `bConfigurationValue`, interface number and alternate setting. */
  configuration: number;
  number: number;
  alternate: number;
  /** `08:06:50`: class, subclass, protocol. */
  type: string;
  /** Whether it has a bulk endpoint each way, as storage needs. */
  bulk: { in: boolean; out: boolean };
};
export type Descriptors = {
  /** `0951:1666` */
  id: string;
  /** The device's own class, `00:00:00` where each interface has one. */
  type: string;
  configurations: number;
  /** Every alternate setting of every configuration, in order. */
  interfaces: UsbInterface[];
};

const DEVICE = 1;
const CONFIGURATION = 2;
const INTERFACE = 4;
const ENDPOINT = 5;
const DEVICE_BYTES = 18;
const CONFIGURATION_BYTES = 9;
const INTERFACE_BYTES = 9;
const ENDPOINT_BYTES = 7;
const BULK = 2;
/** The kernel reads no more than 8 configurations; no true one is longer than this. */
export const DESCRIPTORS_BYTES_MAX = 64 * 1024;
const INTERFACES_MAX = 256;

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0");

export function readDescriptors(bytes: Uint8Array): Result<Descriptors> {
  if (bytes.length > DESCRIPTORS_BYTES_MAX)
    return fail(`its descriptors have more than ${DESCRIPTORS_BYTES_MAX} bytes`);
  const at = (offset: number): number => bytes[offset] ?? 0;
  const word = (offset: number): number => at(offset) | (at(offset + 1) << 8);
  const triple = (offset: number): string => [0, 1, 2].map((more) => hex(at(offset + more), 2)).join(":");
  if (bytes.length < DEVICE_BYTES || at(0) !== DEVICE_BYTES || at(1) !== DEVICE)
    return fail("its descriptors do not begin with a device's");
  const found: Descriptors = {
    id: `${hex(word(8), 4)}:${hex(word(10), 4)}`,
    type: triple(4),
    configurations: at(17),
    interfaces: [],
  };
  let from = DEVICE_BYTES;
  let seen = 0;
  while (from < bytes.length) {
    const total = word(from + 2);
    if (from + CONFIGURATION_BYTES > bytes.length || at(from) < CONFIGURATION_BYTES || at(from + 1) !== CONFIGURATION)
      return fail(`byte ${from} of its descriptors begins no configuration`);
    if (total < at(from) || from + total > bytes.length)
      return fail(`a configuration claims ${total} bytes at byte ${from} of ${bytes.length}`);
    const numbers = new Set<number>();
    let last: UsbInterface | undefined;
    for (let next = from + at(from); next < from + total; ) {
      const length = at(next);
      if (length < 2 || next + length > from + total) return fail(`a descriptor of ${length} bytes at byte ${next}`);
      if (at(next + 1) === CONFIGURATION || at(next + 1) === DEVICE)
        return fail(`a descriptor of type ${at(next + 1)} inside a configuration`);
      if (at(next + 1) === INTERFACE) {
        if (length < INTERFACE_BYTES) return fail(`an interface of ${length} bytes at byte ${next}`);
        if (found.interfaces.length >= INTERFACES_MAX) return fail(`more than ${INTERFACES_MAX} interfaces`);
        numbers.add(at(next + 2));
        last = {
          configuration: at(from + 5),
          number: at(next + 2),
          alternate: at(next + 3),
          type: triple(next + 5),
          bulk: { in: false, out: false },
        };
        found.interfaces.push(last);
      }
      if (at(next + 1) === ENDPOINT && length >= ENDPOINT_BYTES && last && (at(next + 3) & 3) === BULK)
        last.bulk[at(next + 2) & 0x80 ? "in" : "out"] = true;
      next += length;
    }
    if (numbers.size !== at(from + 4))
      return fail(`a configuration says it has ${at(from + 4)} interfaces and has ${numbers.size}`);
    seen += 1;
    from += total;
  }
  if (seen !== found.configurations)
    return fail(`it says it has ${found.configurations} configurations and has ${seen}`);
  return ok(found);
}
