/** policy → definitions applier → clamd (dom0/definitions.ts). A part of the `usb` section, around the gate's own applier.
 *  A set is tested by a clamd of its own, swapped, loaded, and believed when the running clamd finds the bytes that only
 *  this set finds; where it does not, the set before comes back. A scanner that is stale or gone is told. */
import { ARTIFACT_BYTES_MAX } from "@sallyport/shared/artifact/artifact.ts";
import { setDigest, witness } from "@sallyport/shared/artifact/definitions.ts";
import type { Json } from "@sallyport/shared/base/canonical.ts";
import { canonicalText } from "@sallyport/shared/base/canonical.ts";
import { plural } from "@sallyport/shared/base/count.ts";
import type { Hash } from "@sallyport/shared/base/crypto.ts";
import type { Sha256 } from "@sallyport/shared/base/ids.ts";
import type { UsbSection } from "@sallyport/shared/policy/usb.ts";
import type { Observation } from "@sallyport/shared/record/record.ts";
import type { UsbScannerBody } from "@sallyport/shared/record/usb.ts";
import type { SectionState } from "@sallyport/shared/state/reported.ts";
import { staleDefinitions } from "@sallyport/shared/usb/decide.ts";
import type { Artifacts } from "../artifact/artifacts.ts";
import type { Definitions } from "../dom0/definitions.ts";
import type { Log } from "../dom0/log.ts";
import type { Applier } from "./applier.ts";

export type DefinitionsParts = {
  definitions: Definitions;
  artifacts: Artifacts;
  policy: () => UsbSection;
  hash: Hash;
  now: () => number;
  monotonic: () => number;
  pause: (ms: number) => Promise<void>;
  tell: (observation: Observation) => void;
  log: Log;
  reloadMsMax?: number;
  absentMs?: number;
};

type Scanner = { engine: string; definitions: string | null; date: string | null };
type Found = { base: Json; scanner: Scanner | null; set: string | null; inForce: boolean; misplaced: string | null };

/** clamd loads while it goes on with the old ones, or while it answers nobody. */
const RELOAD_MS_MAX = 300_000;
const LOOK_MS = 250;
/** A set that was refused is tried again after so long: it costs as much as loading it. */
const REFUSED_MS = 600_000;

/** clamd takes a while to start, and loads a full set for half a minute: until then its silence is not told. */
const ABSENT_MS = 120_000;

const WORST = ["applied", "audit", "not-applied", "failed"] as const;

export type DefinitionsApplier = Applier<"usb"> & {
  /** The set that the running clamd has, where it is the policy's. */
  inForce(): Promise<Sha256 | undefined>;
};

export function withDefinitions(base: Applier<"usb">, parts: DefinitionsParts): DefinitionsApplier {
  const { definitions, artifacts, policy, hash, now, monotonic, pause, tell, log } = parts;
  let refused: { set: string; why: string; at: number } | undefined;
  let told: string | undefined;
  let silentSince: number | undefined;

  async function inForce(): Promise<Sha256 | undefined> {
    const set = (await definitions.current()) as Sha256 | undefined;
    return set !== undefined && (await definitions.knows(witness(hash, set))) ? set : undefined;
  }

  async function inspect(): Promise<Found> {
    const [scanner, set, conf] = [await definitions.version(), await definitions.current(), await definitions.conf()];
    const found: Found = {
      base: await base.inspect(),
      scanner,
      set: set ?? null,
      inForce: scanner !== null && (await inForce()) !== undefined,
      misplaced: conf.database === definitions.place ? null : conf.database,
    };
    tellScanner(found);
    return found;
  }

  function tellScanner(found: Found): void {
    const body = scannerBody(found, policy(), now(), hash);
    silentSince = found.scanner === null ? (silentSince ?? monotonic()) : undefined;
    if (silentSince !== undefined && monotonic() - silentSince < (parts.absentMs ?? ABSENT_MS)) return;
    const mark = canonicalText(body);
    if (mark === told) return;
    told = mark;
    const severity = body.state === "current" ? "notice" : body.state === "stale" ? "warning" : "error";
    tell({ kind: "usb.scanner", severity, time: now(), text: body.reason, body });
  }

  async function load(set: Sha256, msMax = RELOAD_MS_MAX): Promise<boolean> {
    await definitions.reload();
    for (const started = monotonic(); ; await pause(LOOK_MS)) {
      if (await definitions.knows(witness(hash, set))) return true;
      if (monotonic() - started > msMax) return false;
    }
  }

  async function apply(wanted: NonNullable<UsbSection["definitions"]>): Promise<void> {
    const set = setDigest(hash, wanted);
    if (refused?.set === set && monotonic() - refused.at < REFUSED_MS) throw new Error(refused.why);
    artifacts.retain(
      "usb",
      wanted.map(({ sha256 }) => sha256),
    );
    const files = [];
    for (const { name, sha256 } of wanted) {
      const path = await artifacts.get(sha256, `The definitions ${name}`, ARTIFACT_BYTES_MAX["clamav-definitions"]);
      files.push({ name, path });
    }
    const refuse = (why: string): never => {
      refused = { set, why, at: monotonic() };
      throw new Error(why);
    };
    const before = (await definitions.current()) as Sha256 | undefined;
    const own = witness(hash, set);
    const answers = (await definitions.version()) !== null;
    // it lies ready for when clamd starts; where clamd runs without it, it is laid anew, whatever became of it
    if (before === set && !answers) return;
    await definitions.lay(set, files, { name: own.name, text: own.line });
    const tested = await definitions.test(set, own);
    if (!tested.ok) {
      await definitions.forget(before === undefined ? [] : [before]);
      refuse(`The scanner refuses the definitions, and those before stay in force: ${tested.error}`);
    }
    await definitions.use(set);
    if (!answers) {
      log.info({ set }, "definitions.ready"); // it reads them when it starts
      return;
    }
    if (await load(set, parts.reloadMsMax)) {
      log.info({ set, files: files.length }, "definitions.loaded");
      await definitions.forget([set]);
      return;
    }
    if (before === undefined || before === set)
      refuse(`The scanner does not load the definitions ${set.slice(0, 12)}; its own log says why.`);
    await definitions.use(before);
    const again = await load(before as Sha256);
    await definitions.forget([before as string]);
    log.error({ set, again }, "definitions.rolled-back");
    refuse(
      `The scanner does not load the definitions ${set.slice(0, 12)}; those before ${again ? "are in force again" : "could not be restored"}.`,
    );
  }

  return {
    section: "usb",
    inspect: async () => (await inspect()) as unknown as Json,
    judge(wanted, untrustedFound) {
      const found = untrustedFound as unknown as Found;
      return together(base.judge(wanted, found.base), judge(wanted, found, definitions.place, now(), hash));
    },
    async apply(wanted) {
      await base.apply(wanted);
      const found = await inspect();
      if (wanted.definitions && !isFine(judge(wanted, found, definitions.place, now(), hash)) && !found.misplaced)
        await apply(wanted.definitions);
    },
    inForce,
  };
}

const isFine = ({ outcome }: SectionState): boolean => outcome === "applied";

function judge(wanted: UsbSection, found: Found, place: string, now: number, hash: Hash): SectionState {
  const { scanner, set, inForce, misplaced } = found;
  const shown = {
    scanner: scanner && {
      ...scanner,
      ...(inForce && set !== null && { set }),
      ...(inForce && wanted.definitions && { files: wanted.definitions.length }),
    },
  };
  const state = (outcome: SectionState["outcome"], reason?: string): SectionState => ({
    outcome,
    ...(reason !== undefined && { reason }),
    found: shown as Json,
  });
  if (wanted.definitions) {
    if (misplaced !== null)
      return state(
        "failed",
        `The policy names the scanner's definitions, and clamd reads them from ${misplaced}: set DatabaseDirectory ${place} in clamd.conf (docs/scanner.md).`,
      );
    const wants = setDigest(hash, wanted.definitions);
    if (set !== wants)
      return state(
        "failed",
        set === null
          ? "The policy's definitions are not here yet."
          : `The definitions in force are the set ${set.slice(0, 12)}.`,
      );
    if (scanner === null)
      return state("failed", "The policy's definitions lie ready, and clamd does not answer: nothing is scanned.");
    if (!inForce) return state("failed", "The policy's definitions lie ready, and clamd has not loaded them.");
  }
  if (scanner === null)
    return state("applied", "clamd does not answer: nothing is scanned, and what comes is unscannable.");
  return state("applied", isStale(scanner, wanted, now) ? staleWords(scanner, wanted) : undefined);
}

/** Both are one section: the worse outcome, both reasons, all that was found. */
function together(one: SectionState, other: SectionState): SectionState {
  const outcome = WORST[Math.max(WORST.indexOf(one.outcome), WORST.indexOf(other.outcome))]!;
  const reason = [one.reason, other.reason].filter(Boolean).join(" ").slice(0, 1024);
  const found = { ...(one.found as object | undefined), ...(other.found as object) } as Json;
  return { outcome, ...(reason && { reason }), found };
}

const isStale = (scanner: Scanner, policy: UsbSection, now: number): boolean =>
  staleDefinitions(scanner, policy.definitionsDaysMax, new Date(now));
const staleWords = ({ date }: Scanner, { definitionsDaysMax }: UsbSection): string =>
  `The scanner's definitions are of ${date?.slice(0, 10)}, and ${definitionsDaysMax} days is the oldest they may be: what they find clean counts as unscannable.`;

function scannerBody(found: Found, policy: UsbSection, now: number, hash: Hash): UsbScannerBody {
  const { scanner, set, inForce } = found;
  if (scanner === null)
    return {
      ...{ engine: null, definitions: null, date: null, state: "absent" as const },
      reason: "The scanner does not answer: nothing is scanned, and what comes on a stick is unscannable.",
    };
  const named =
    inForce && policy.definitions && setDigest(hash, policy.definitions) === set ? policy.definitions : undefined;
  const stale = isStale(scanner, policy, now);
  const version = scanner.definitions === null ? "definitions without a version" : `definitions ${scanner.definitions}`;
  return {
    ...scanner,
    ...(inForce && set !== null && { set }),
    ...(named && { files: [...named] }),
    state: stale ? "stale" : "current",
    reason: stale
      ? staleWords(scanner, policy)
      : `The scanner has ${version}${scanner.date ? ` of ${scanner.date.slice(0, 10)}` : ""}${named ? `, as the policy names them (${plural(named.length, "file")})` : ""}.`,
  };
}
