/** Names → addresses, by this machine's own resolver (hosts file and DNS); a guest is never asked. */
import { lookup } from "node:dns/promises";
import { fail, ok, type Result } from "@sallyport/shared/base/result.ts";

/** Sorted, without zones. The error is for people. */
export type ResolveName = (name: string) => Promise<Result<string[]>>;

const LOOKUP_MS_MAX = 5_000;

export const resolveName: ResolveName = async (name) => {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${LOOKUP_MS_MAX / 1000} s`)), LOOKUP_MS_MAX);
  });
  try {
    const found = await Promise.race([lookup(name, { all: true }), late]);
    const addresses = found.map(({ address }) => address.replace(/%.*$/, ""));
    return addresses.length > 0 ? ok([...new Set(addresses)].sort()) : fail(`${name} has no address`);
  } catch (error) {
    return fail(`${name}: ${(error as Error).message}`);
  } finally {
    clearTimeout(timer);
  }
};
