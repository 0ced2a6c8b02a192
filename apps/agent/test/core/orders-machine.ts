/** The agent's parts in this process, on a state folder of the test's, and what a console sends to it. */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { toBase64 } from "@sallyport/shared/base/bytes.ts";
import type { GroupId, SessionId, WorkstationId } from "@sallyport/shared/base/ids.ts";
import { ok } from "@sallyport/shared/base/result.ts";
import type { Verb } from "@sallyport/shared/command/verb.ts";
import { deniedAddresses, type OverlayEntry } from "@sallyport/shared/policy/overlay.ts";
import { Policy, policyDigest } from "@sallyport/shared/policy/policy.ts";
import { type SignedStatement, signStatement } from "@sallyport/shared/policy/statement.ts";
import type { Signer } from "@sallyport/shared/trail/signed.ts";
import { newSigner } from "../../../../packages/shared/test/keys.ts";
import { networkApplier } from "../../src/appliers/network.ts";
import { Commands } from "../../src/command/commands.ts";
import { isolatePerformer, releasePerformer } from "../../src/command/cut.ts";
import { journalFile } from "../../src/command/journal-file.ts";
import type { Performers } from "../../src/command/performer.ts";
import { sha256 } from "../../src/dom0/crypto.ts";
import { keptText } from "../../src/dom0/kept-text.ts";
import { realDom0 } from "../../src/dom0/real.ts";
import { spareIn } from "../../src/dom0/spare.ts";
import { PolicyKeeper } from "../../src/policy/policy.ts";
import { keepMarks, recoverKept } from "../../src/policy/recover.ts";
import { type Appliers, settle } from "../../src/reconcile/reconcile.ts";
import { toldOverlays } from "../../src/report/told.ts";
import { simRuleset } from "../../src/sim/ruleset.ts";
import { openTrail } from "../../src/trail.ts";

const consoleKey = newSigner();
const workstation = "11111111-1111-4111-8111-111111111111" as WorkstationId;
const group = "22222222-2222-4222-8222-222222222222" as GroupId;
const identity = {
  workstation,
  signer: newSigner(),
  session: "44444444-4444-4444-8444-444444444444" as SessionId,
  agentVersion: "0",
  hostname: "dom0",
};
const TABLE = { family: "inet", table: "sallyport" } as const;
const silent = { debug() {}, info() {}, warn() {}, error() {} };
const POLICY = Policy.parse({ network: { mode: "enforce", otherwise: "allow" } });
export const HOUR_MS = 3_600_000;
export const at = (hours: number) => new Date(Date.now() + hours * HOUR_MS).toISOString();

/** The agent's parts as main.ts wires them, with a pretend kernel, which outlives it. */
export function machine(state: string, runtime?: string) {
  const ruleset = simRuleset();
  async function start() {
    const over = new AbortController();
    const settings = { log: Policy.parse({}).log, agent: Policy.parse({}).agent };
    const { now, monotonic } = { now: () => Date.now(), monotonic: () => performance.now() };
    const trail = openTrail({ ...{ state, identity, settings, now, monotonic, log: silent }, changed() {} });
    const { spool, intake, tell, remember } = trail;
    const kept = recoverKept({ ...{ state, workstation, now, tell }, memory: spool });
    const ordersFile = (name: string) => keptText(realDom0, join(state, name), 1 << 20);
    const commands = await Commands.open({
      file: journalFile(ordersFile("commands.json"), ordersFile("commands.json.copy")),
      emit: intake.emit,
      spare: spareIn(runtime, "commands.unkept"),
      position: (name) => spool.position(name),
      floor: () => policy.floor(),
      ...{ now, tell, log: silent },
      changed() {},
    });
    const policy = new PolicyKeeper({
      ...{ state, commands, kept, now, monotonic, tell, log: silent },
      self: { workstation, group, consoleKeys: [toBase64(consoleKey.publicKey)] },
      spare: spareIn(runtime, "policy.unkept"),
      keepMarks: (next) => keepMarks(spool, workstation, next),
      changed() {},
    });
    const network = networkApplier({
      ...{ ruleset, hash: sha256, now, monotonic, tell, log: silent },
      config: { wire: "routed", vifs: [{ name: "vif1.0", guest: "work", addresses: ["10.1.0.2"] }], own: [] },
      broker: { host: "192.0.2.9", port: 8883 },
      lostMs: () => 0,
      resolve: async () => ok([]),
      floor: () => policy.floor(),
      kept: keptText(realDom0, join(state, "network.nft"), 1 << 20),
      isolatedUntil: () => commands.isolation?.until,
      denied: () => deniedAddresses(policy.denied()),
    });
    const settleNetwork = () => settle({ network } as Appliers, "network", POLICY);
    const performers = {
      isolate: isolatePerformer(settleNetwork),
      release: releasePerformer(settleNetwork),
    } as unknown as Performers;
    const toldOverlay = toldOverlays({ tell, remember, now, remembered: (key) => spool.remembered(key) });
    policy.heard(now());
    const running = commands.run(performers, over.signal);
    return {
      ...{ commands, policy, settleNetwork },
      spool,
      overlay: (statement: SignedStatement) => policy.desired(messageOf([statement]), "overlay"),
      desired: (...statements: SignedStatement[]) => policy.desired(messageOf(statements)),
      command: (statement: SignedStatement) => policy.command(Buffer.from(JSON.stringify(statement))),
      /** As each round of steering does. */
      look() {
        policy.keepAgain();
        toldOverlay(policy.overlays());
      },
      trail: () => {
        const { records } = spool.read(spool.base, 1_000, 1 << 20);
        return records.map(({ entry, content }) => ({ ...JSON.parse(entry), ...JSON.parse(content!) }));
      },
      /** What is in memory alone is gone. */
      async kill() {
        over.abort();
        await running;
        intake.close();
        spool.close();
      },
    };
  }
  return { ruleset, start, table: () => ruleset.text(TABLE) ?? "" };
}

const messageOf = (statements: SignedStatement[]) => Buffer.from(JSON.stringify({ statements }));

/** The newest that was given. */
let order = 0;
export const newest = (): number => order;
export function command(
  verb: Verb,
  args: object,
  by: Signer = consoleKey,
  notAfter = at(1),
  to: WorkstationId = workstation,
): SignedStatement {
  const carried = { id: randomUUID(), verb, arguments: args, notAfter };
  const issued = new Date(Math.min(Date.now(), Date.parse(notAfter) - 1_000)).toISOString();
  return signStatement(
    sha256,
    [by],
    { type: "command", audience: { workstation: to }, order: ++order, issued, notAfter },
    carried,
  );
}
export const untilOf = ({ carried }: SignedStatement): string => JSON.parse(carried).arguments.until;
export const address = (id: number, more: Partial<OverlayEntry> = {}): OverlayEntry => ({
  ...{ id: String(id).padStart(12, "0"), until: at(1), reason: "seen elsewhere" },
  ...{ what: { kind: "address", to: `198.51.100.${id}`, protocol: "any" }, ...more },
});
export const overlay = (entries: OverlayEntry[], by: Signer = consoleKey): SignedStatement =>
  signStatement(
    sha256,
    [by],
    { type: "overlay", audience: { fleet: true }, order: ++order, issued: at(0), notAfter: at(2) },
    { entries },
  );
export function revision(lingerMs: number): SignedStatement {
  const whole = Policy.parse({ log: { lingerMs } });
  const carried = { group, digest: policyDigest(sha256, whole), policy: whole };
  return signStatement(
    sha256,
    [consoleKey],
    { type: "policy", audience: { group }, order: ++order, issued: at(0) },
    carried,
  );
}
