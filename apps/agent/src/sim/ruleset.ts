/** A pretend kernel's rulesets: text in, a listing out, the same promises as nft's. It understands lines, not rules. */
import type { Json } from "@sallyport/shared/base/canonical.ts";
import { fail, ok, type Result } from "@sallyport/shared/base/result.ts";
import type { NetDevice, Ruleset, TableName } from "../dom0/ruleset.ts";

export type SimRuleset = Ruleset & {
  /** As somebody else would change it. */
  tamper(name: TableName, change: (lines: string[]) => string[]): void;
  setDevices(devices: NetDevice[]): void;
  setConnections(room: { count: number; max: number }): void;
  /** Whether somebody reads the log. */
  setHeard(is: boolean): void;
  /** How often marks were forgotten. */
  forgotten(): number;
  /** The text in force. */
  text(name: TableName): string | undefined;
};

export function simRuleset(): SimRuleset {
  const tables = new Map<string, string[]>();
  let devices: NetDevice[] = [];
  let forgot = 0;
  let heard = true;
  let room: { count: number; max: number } | undefined;
  const key = ({ family, table }: TableName) => `${family} ${table}`;
  const read = (text: string): Result<Map<string, string[]>> => {
    const found = new Map<string, string[]>();
    let depth = 0;
    let open: string[] | undefined;
    for (const line of text
      .split("\n")
      .map((each) => each.trim())
      .filter(Boolean)) {
      const [, name] = /^table (\S+ \S+) \{$/.exec(line) ?? [];
      if (depth === 0 && name) {
        open = [];
        found.set(name, open);
      } else if (depth > 0) open?.push(line);
      else if (!/^(?:delete )?table \S+ \S+$/.test(line)) return fail(`syntax error: ${line}`);
      depth += (line.match(/\{/g)?.length ?? 0) - (line.match(/\}/g)?.length ?? 0);
    }
    return depth === 0 ? ok(found) : fail("syntax error: a brace is missing");
  };
  const check = async (text: string): Promise<Result<null>> => {
    const found = read(text);
    return found.ok ? ok(null) : found;
  };
  return {
    check,
    async load(text) {
      const found = read(text);
      if (!found.ok) return found;
      for (const [, name] of text.matchAll(/^delete table (\S+ \S+)$/gm)) tables.delete(name!);
      for (const [name, lines] of found.value) tables.set(name, lines);
      return ok(null);
    },
    async list(name) {
      const lines = tables.get(key(name));
      return lines && listing(lines, name);
    },
    async remove(name) {
      tables.delete(key(name));
    },
    async forget() {
      forgot += 1;
      return ok(null);
    },
    devices: async () => devices,
    connections: async () => room,
    isHeard: async () => heard,
    tamper: (name, change) => void tables.set(key(name), change([...(tables.get(key(name)) ?? [])])),
    setDevices(next) {
      devices = next;
    },
    setConnections(next) {
      room = next;
    },
    setHeard(is) {
      heard = is;
    },
    forgotten: () => forgot,
    text: (name) => tables.get(key(name))?.join("\n"),
  };
}

function listing(lines: readonly string[], { family, table }: TableName): Json {
  const nftables: Json[] = [{ metainfo: { version: "sim" } }, { table: { family, name: table, handle: 1 } }];
  let chain: string | undefined;
  let handle = 1;
  for (const line of lines) {
    const [, counter] = /^counter (\S+) \{ \}$/.exec(line) ?? [];
    const [, hook] = /^type filter hook (\S+) priority filter; policy accept;$/.exec(line) ?? [];
    const [, opened] = /^chain (\S+) \{$/.exec(line) ?? [];
    handle += 1;
    if (counter) nftables.push({ counter: { family, name: counter, table, handle, packets: 0, bytes: 0 } });
    else if (opened) {
      chain = opened;
      nftables.push({ chain: { family, table, name: opened, handle } });
    } else if (hook) {
      const prio = family === "bridge" ? -200 : 0;
      nftables[nftables.length - 1] = {
        chain: { family, table, name: hook, handle, type: "filter", hook, prio, policy: "accept" },
      };
    } else if (line === "}") chain = undefined;
    else if (chain) {
      const [, comment] = / comment "([^"]*)"$/.exec(line) ?? [];
      nftables.push({ rule: { family, table, chain, handle, ...(comment ? { comment } : {}), expr: [line] } });
    }
  }
  return { nftables };
}
