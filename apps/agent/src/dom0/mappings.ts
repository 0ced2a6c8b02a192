/** The kernel's mapped devices, by sysfs: no program is asked, and what cannot be read is never taken for none. */
import { type Dom0, DoorError } from "./dom0.ts";

const BLOCK = "/sys/class/block";
const MAPPER = "/sys/class/misc/device-mapper";
/** Longer than device-mapper lets either be. */
const WORD_BYTES_MAX = 256;

/** `uuid` is empty where whoever made it gave none. */
type Mapping = { name: string; uuid: string };

/** All there are; nothing where the kernel has no device-mapper, so that nothing can be mapped. @throws DoorError */
async function mappings({ list, readText }: Pick<Dom0, "list" | "readText">): Promise<Mapping[] | undefined> {
  const devices = await list(BLOCK);
  if (!devices) throw new DoorError(`there is no ${BLOCK}: nobody can tell what is mapped (is /sys mounted?)`);
  const found = await Promise.all(
    devices.map(async (device) => {
      const [name, uuid] = await Promise.all(
        ["name", "uuid"].map((word) => readText(`${BLOCK}/${device}/dm/${word}`, WORD_BYTES_MAX)),
      );
      return name === undefined ? [] : [{ name: name.trimEnd(), uuid: uuid?.trimEnd() ?? "" }];
    }),
  );
  const all = found.flat();
  return all.length === 0 && (await list(MAPPER)) === undefined ? undefined : all;
}

export async function isMapped(dom0: Pick<Dom0, "list" | "readText">, name: string): Promise<boolean | undefined> {
  return (await mappings(dom0))?.some((each) => each.name === name);
}

/** libcryptsetup's own name for what it maps: CRYPT-, the type, the volume's UUID with no dashes, the mapping's name. Its
 *  devices under one (integrity, a change in place) are of type SUBDEV, and come last: they are busy until then. */
export async function mappedFrom(dom0: Pick<Dom0, "list" | "readText">, volume: string): Promise<string[] | undefined> {
  const of = new RegExp(`^CRYPT-([A-Z0-9]+)-${volume.replaceAll("-", "").toLowerCase()}(?:-|$)`, "i");
  const found = (await mappings(dom0))?.flatMap(({ name, uuid }) => {
    const type = of.exec(uuid)?.[1];
    return type === undefined ? [] : [{ name, isUnder: type === "SUBDEV" }];
  });
  return found?.sort((a, b) => Number(a.isUnder) - Number(b.isUnder)).map(({ name }) => name);
}
