/** network applier → nft. The kernel's rulesets, a table at a time: checked, loaded whole or not at all, listed. */
import type { Json } from "@sallyport/shared/base/canonical.ts";
import { fail, ok, type Result } from "@sallyport/shared/base/result.ts";
import { type Dom0, DoorError, type Ran } from "./dom0.ts";
import { PERL } from "./perl.ts";

export type TableName = { family: "inet" | "bridge"; table: string };
/** A device of the machine; `bridge` is the one it is a port of. */
export type NetDevice = { name: string; bridge?: string };

export type Ruleset = {
  /** What is wrong with the text, as the kernel sees it; nothing is changed. @throws DoorError where there is no nft */
  check(text: string): Promise<Result<null>>;
  /** Whole or not at all. */
  load(text: string): Promise<Result<null>>;
  /** As `nft -j` lists it; nothing where there is no such table. @throws DoorError where one may not look */
  list(name: TableName): Promise<Json | undefined>;
  remove(name: TableName): Promise<void>;
  devices(): Promise<NetDevice[]>;
  /** Every connection that has a mark: what comes of it is a new one. */
  forget(): Promise<Result<null>>;
  /** The table of connections, which dom0 and all guests share: what is in it, and what it holds at most. Nothing where the
   *  kernel tracks none. */
  connections(): Promise<{ count: number; max: number } | undefined>;
  /** Whether somebody reads what is logged to that group; nothing where this cannot be seen. */
  isHeard(group: number): Promise<boolean | undefined>;
};

const CONNECTIONS = ["nf_conntrack_count", "nf_conntrack_max"].map((name) => `/proc/sys/net/netfilter/${name}`);
/** A line a group that somebody reads, its number first. */
const READERS = "/proc/net/netfilter/nfnetlink_log";
/** nft has no words for it, and Node no netlink. IPCTNL_MSG_CT_DELETE of linux/netfilter/nfnetlink_conntrack.h, with CTA_MARK
 *  and CTA_MARK_MASK, a bit of the mark at a time: the kernel deletes what has that bit. */
const FORGET = `
socket(my $kernel, 16, 3, 12) or die "no netlink: $!\n";
for my $bit (0 .. 31) {
  my $mark = pack("N", 1 << $bit);
  my $asked = pack("CCn SSa4 SSa4", 0, 0, 0, 8, 8, $mark, 8, 21, $mark);
  send($kernel, pack("LSSLL", 16 + length $asked, 0x102, 5, $bit, 0) . $asked, 0) or die "not sent: $!\n";
  my $said;
  defined recv($kernel, $said, 8192, 0) && length $said >= 20 or die "no answer: $!\n";
  my ($kind, $error) = unpack("x4 S x10 l", $said);
  $kind == 2 or die "an answer of kind $kind\n";
  if ($error) { $! = -$error; die "$!\n" }
}
`;
const NFT_MS_MAX = 120_000;
/** A thousand rules with 256 addresses each are listed in less. */
const LISTING_BYTES_MAX = 64 * 1024 * 1024;

export function nftRuleset(dom0: Pick<Dom0, "run">): Ruleset {
  // times in rules are absolute seconds; a zone would only change how they are listed
  const nft = (args: readonly string[], input?: string) =>
    dom0.run("env", ["TZ=UTC", "nft", ...args], {
      timeoutMs: NFT_MS_MAX,
      outputBytesMax: LISTING_BYTES_MAX,
      ...(input !== undefined && { input }),
    });
  const answer = (ran: Ran): Result<null> => (ran.code === 0 ? ok(null) : fail(wordsOf(ran)));
  return {
    check: async (text) => answer(await nft(["-c", "-f", "-"], text)),
    load: async (text) => answer(await nft(["-f", "-"], text)),
    async list({ family, table }) {
      const ran = await nft(["-j", "list", "table", family, table]);
      if (ran.code === 0) return parsed(ran.stdout);
      if (/No such file or directory/.test(ran.stderr) && ran.code !== 127) return undefined;
      throw new DoorError(`nft cannot list the tables: ${wordsOf(ran)}`);
    },
    async remove({ family, table }) {
      await nft(["-f", "-"], `table ${family} ${table}\ndelete table ${family} ${table}\n`);
    },
    async forget() {
      // nothing of the agent's environment chooses what perl runs
      return answer(await dom0.run("env", ["-i", PERL, "-e", FORGET], { timeoutMs: NFT_MS_MAX }));
    },
    async connections() {
      const ran = await dom0.run("cat", CONNECTIONS, { timeoutMs: NFT_MS_MAX });
      const [count, max] = ran.stdout.trim().split(/\s+/).map(Number);
      return ran.code === 0 && count! >= 0 && max! > 0 ? { count: count!, max: max! } : undefined;
    },
    async isHeard(group) {
      const ran = await dom0.run("cat", [READERS], { timeoutMs: NFT_MS_MAX });
      if (ran.code !== 0) return undefined;
      return ran.stdout.split("\n").some((line) => Number.parseInt(line, 10) === group);
    },
    async devices() {
      const ran = await dom0.run("ip", ["-j", "link", "show"], { timeoutMs: NFT_MS_MAX });
      if (ran.code !== 0) throw new DoorError(`ip cannot list the devices: ${wordsOf(ran)}`);
      const listed = JSON.parse(ran.stdout) as { ifname: string; master?: string }[];
      return listed.map(({ ifname, master }) => ({ name: ifname, ...(master !== undefined && { bridge: master }) }));
    },
  };
}

function parsed(listing: string): Json {
  try {
    return JSON.parse(listing) as Json;
  } catch (cause) {
    throw new DoorError(`nft lists what is no JSON (${listing.length} bytes)`, { cause });
  }
}

function wordsOf({ code, stderr, timedOut }: Ran): string {
  if (timedOut) return `it took longer than ${NFT_MS_MAX / 1000} s`;
  // `env` answers 127 where there is no such program
  if (code === 127) return "there is no such program on this machine (apt-get install nftables perl-base)";
  const said = stderr.split("\n").find((line) => line.trim()) ?? `exit ${code}`;
  return said.trim().slice(0, 400);
}
