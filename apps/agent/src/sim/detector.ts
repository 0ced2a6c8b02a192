/** A pretend detector: it loads the rules in its files when told to, as the real one does, errors and all. A rule with
 *  `broken` in it is not understood when tested, one with `late` only when loaded. */
import { ok } from "@sallyport/shared/base/result.ts";
import type { Detector, DetectorFile, Link } from "../dom0/detector.ts";
import { DoorError } from "../dom0/dom0.ts";

export type SimDetector = Detector & {
  files: Map<string, string>;
  artifacts: Map<string, string>;
  state: {
    running: boolean;
    link: Link;
    packets: number;
    drops: number;
    reloads: number;
    upSeconds: number;
    events: number;
  };
  /** Its unit starts it: it loads what is in force. */
  begin(): void;
};

export function simDetector(): SimDetector {
  const files = new Map<string, string>();
  const artifacts = new Map<string, string>();
  const state = { running: true, link: "up" as Link, packets: 100, drops: 0, reloads: 0, upSeconds: 3_600, events: 0 };
  let loaded = { good: 0, bad: [] as string[] };
  const rulesOf = (text = "") => text.split("\n").filter((line) => line.trim() && !line.startsWith("#"));
  const load = () => {
    const rules = rulesOf(files.get("detector.rules"));
    const bad = rules.filter(isBad);
    loaded = { good: rules.length - bad.length, bad };
  };
  const mustRun = () => {
    if (!state.running) throw new DoorError("the detector does not answer: connect ENOENT");
  };
  const reload = () => {
    load();
    state.reloads += 1;
    return "done";
  };
  return {
    files,
    artifacts,
    state,
    begin() {
      state.running = true;
      state.upSeconds = 0;
      load();
    },
    read: async (file) => files.get(file),
    write: async (file: DetectorFile, text, aside) => void files.set(aside ? `aside/${file}` : file, text),
    artifact: async (path) => artifacts.get(path),
    test: async () => {
      const rules = rulesOf(files.get("aside/detector.rules"));
      const bad = rules.filter((line) => line.includes("broken"));
      return ok({ loaded: rules.length - bad.length, failed: bad.length, first: bad.slice(0, 3).map(named) });
    },
    async notUnderstood() {
      mustRun();
      return loaded.bad.slice(0, 3).map(named);
    },
    events: async () => String(state.events),
    link: async () => state.link,
    async ask(command) {
      mustRun();
      switch (command) {
        case "ruleset-reload-rules":
          return reload();
        case "ruleset-stats":
          return [{ id: 0, rules_loaded: loaded.good, rules_failed: loaded.bad.length, rules_skipped: 0 }];
        case "reopen-log-files":
          state.events += 1;
          return "done";
        case "version":
          return "7.0.10 RELEASE";
        case "uptime":
          return state.upSeconds;
        case "iface-stat":
          return { pkts: state.packets, drop: state.drops, bypassed: 0, "invalid-checksums": 0 };
        case "shutdown":
          state.running = false;
          return "Closing Suricata";
        default:
          throw new DoorError(`unknown command ${command}`);
      }
    },
  };
}

const isBad = (rule: string): boolean => rule.includes("broken") || rule.includes("late");
const named = (rule: string): string => `the rule ${rule}: no such keyword`;
