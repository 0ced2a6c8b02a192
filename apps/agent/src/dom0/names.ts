/** Names → addresses, by this machine's hosts file and its DNS servers; a guest is never asked. Not by the C library, which
 *  answers a few at a time, cannot be told to stop, and whose threads the agent's files need too: a name whose server is
 *  silent must hold up no other. */
import { NODATA, NOTFOUND, Resolver, TIMEOUT } from "node:dns/promises";
import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { fail, ok, type Result } from "@sallyport/shared/base/result.ts";

/** Sorted, without zones; none where the servers say that it has none. The error, why nobody says, is for people. */
export type ResolveName = (name: string) => Promise<Result<string[]>>;

export type NamesPlace = {
  hosts: string;
  conf: string;
  /** Instead of those of `conf`. */
  servers?: readonly string[];
};
const MACHINE: NamesPlace = { hosts: "/etc/hosts", conf: "/etc/resolv.conf" };

const LOOKUP_MS_MAX = 5_000;
/** Of one server, the first time; the next is asked then. */
const SERVER_MS_MAX = 1_500;
const TRIES = 2;

export const namesOf =
  (place: NamesPlace): ResolveName =>
  async (name) => {
    if (isIP(name)) return ok([name]);
    const listed = addressesIn(await textOf(place.hosts), name);
    if (listed.length > 0) return ok(sorted(listed));
    const { search, dots } = searchOf(await textOf(place.conf));
    let last: Result<string[]> = ok([]);
    const deadline = performance.now() + LOOKUP_MS_MAX;
    for (const full of fullNames(name, search, dots)) {
      const asked = await askServers(full, place.servers, deadline - performance.now());
      if (asked === "late") return fail(`${name}: no answer within ${LOOKUP_MS_MAX / 1000} s`);
      if (Array.isArray(asked) && asked.length > 0) return ok(sorted(asked));
      if (!Array.isArray(asked)) last = fail(`${name}: ${asked.error}`);
    }
    return last;
  };

export const resolveName = namesOf(MACHINE);

const sorted = (addresses: readonly string[]): string[] =>
  [...new Set(addresses.map((address) => address.replace(/%.*$/, "")))].sort();

/** None where the servers say that there is none. A family that is answered counts without the other. */
async function askServers(
  name: string,
  servers: readonly string[] | undefined,
  msMax: number,
): Promise<string[] | { error: string } | "late"> {
  const resolver = new Resolver({ timeout: SERVER_MS_MAX, tries: TRIES });
  if (servers) resolver.setServers(servers);
  let isLate = false;
  const timer = setTimeout(
    () => {
      isLate = true;
      resolver.cancel();
    },
    Math.max(0, msMax),
  );
  const answers = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
  clearTimeout(timer);
  const addresses = answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
  if (addresses.length > 0) return addresses;
  const errors = answers.flatMap((answer) =>
    answer.status === "rejected" ? [answer.reason as Error & { code?: string }] : [],
  );
  if (isLate || errors.some(({ code }) => code === TIMEOUT)) return "late";
  const wrong = errors.find(({ code }) => code !== NODATA && code !== NOTFOUND);
  return wrong ? { error: wrong.message } : [];
}

/** A file that is not there says nothing. */
const textOf = (path: string): Promise<string> => readFile(path, "utf8").catch(() => "");

const wordsOf = (line: string): string[] =>
  line
    .replace(/[#;].*$/, "")
    .trim()
    .split(/\s+/);

function addressesIn(hosts: string, name: string): string[] {
  const wanted = name.toLowerCase().replace(/\.$/, "");
  return hosts.split("\n").flatMap((line) => {
    const [address, ...names] = wordsOf(line);
    const isOf = isIP((address ?? "").replace(/%.*$/, "")) && names.some((each) => each.toLowerCase() === wanted);
    return isOf ? [address!] : [];
  });
}

/** resolv.conf(5): the last `search` or `domain` holds; `ndots` says what is asked as it stands first. */
function searchOf(conf: string): { search: readonly string[]; dots: number } {
  const lines = conf.split("\n").map(wordsOf);
  const last = lines.findLast(([word]) => word === "search" || word === "domain");
  const options = lines.filter(([word]) => word === "options").flat();
  const dots = Number(options.findLast((each) => each.startsWith("ndots:"))?.slice("ndots:".length) ?? 1);
  return { search: last?.slice(1) ?? [], dots: Number.isFinite(dots) ? dots : 1 };
}

function fullNames(name: string, search: readonly string[], dots: number): string[] {
  if (name.endsWith(".")) return [name.slice(0, -1)];
  const within = search.filter((each) => each !== ".").map((each) => `${name}.${each.replace(/\.$/, "")}`);
  return name.split(".").length - 1 >= dots ? [name, ...within] : [...within, name];
}
