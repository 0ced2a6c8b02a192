/** What a detector promises its applier: the real Suricata on a bridge of its own, and the pretend one. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { detectorYaml } from "../../src/appliers/ids-yaml.ts";
import { type Detector, suricata } from "../../src/dom0/detector.ts";
import { DoorError } from "../../src/dom0/dom0.ts";
import { realDom0 } from "../../src/dom0/real.ts";
import { type SimDetector, simDetector } from "../../src/sim/detector.ts";
import { until } from "../core/agent.ts";
import { makeNamespaces, type Namespaces, unable } from "../network/namespaces.ts";
import { realSuricata } from "./suricata.ts";

const LONG_MS = 90_000;
const absent = (await unable("ip", "nft", "python3")) ?? ((await realSuricata()) ? null : "no Suricata");
const rule = (number: number, more = "") =>
  `alert udp any any -> any 5000 (msg:"probe"; ${more}sid:${number}; rev:1;)\n`;
const GOOD = rule(1) + rule(2);
/** One keyword that nobody knows. */
const MIXED = GOOD + rule(3, "broken:1; ");

type Place = {
  detector: Detector;
  /** A rule set where artifacts lie. */
  lay(text: string): string;
  /** Its unit starts it. */
  begin(): Promise<void>;
  link(is: "up" | "down" | "absent"): Promise<void>;
  remove(): Promise<void>;
};

async function real(): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-detector-"));
  const spaces: Namespaces = await makeNamespaces(["dom0"]);
  await spaces.ip("dom0", "link add xenbr0 type bridge", "link set xenbr0 up");
  const { program, classification, reference } = (await realSuricata())!;
  const inDom0: typeof realDom0 = {
    ...realDom0,
    run: (name, ...rest) => (name === "ip" ? spaces.dom0("dom0") : realDom0).run(name, ...rest),
  };
  const detector = suricata(inDom0, { folder, program });
  const config = { interface: "xenbr0", folder, addresses: ["10.1.0.2"], threads: 1, classification, reference };
  for (const aside of [true, false]) await detector.write("suricata.yaml", detectorYaml(config, {}, aside), aside);
  return {
    detector,
    lay(text) {
      writeFileSync(join(folder, "artifact"), text);
      return join(folder, "artifact");
    },
    async begin() {
      const args = ["-c", join(folder, "suricata.yaml"), "--af-packet", "-l", join(folder, "log")];
      spaces.spawn("dom0", program[0]!, [...program.slice(1), ...args]);
      const answers = () =>
        detector.ask("version").then(
          () => true,
          () => false,
        );
      await until("the detector answers", answers, undefined, LONG_MS);
    },
    async link(is) {
      await spaces.ip("dom0", is === "absent" ? "link del xenbr0" : `link set xenbr0 ${is}`);
    },
    async remove() {
      await spaces.remove();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
async function pretend(): Promise<Place> {
  const detector: SimDetector = simDetector();
  detector.state.running = false;
  return {
    detector,
    lay(text) {
      detector.artifacts.set("/artifacts/set", text);
      return "/artifacts/set";
    },
    begin: async () => detector.begin(),
    async link(is) {
      detector.state.link = is;
    },
    remove: async () => {},
  };
}

describe.each([
  { name: "that is Suricata", make: real, left: absent },
  { name: "that is a pretend one", make: pretend, left: null },
])("a detector $name", { timeout: 300_000 }, ({ make, left }) => {
  let place: Place;
  let detector: Detector;
  beforeAll(async () => {
    if (left !== null) return;
    place = await make();
    detector = place.detector;
  }, LONG_MS);
  afterAll(() => place?.remove());
  const counts = () => detector.ask("ruleset-stats");

  it.skipIf(left !== null)("keeps what is written aside apart from what is in force", async () => {
    expect(await detector.read("detector.rules")).toBeUndefined();
    await detector.write("detector.rules", MIXED, true);
    expect(await detector.read("detector.rules")).toBeUndefined();
    await detector.write("detector.rules", GOOD);
    await detector.write("threshold.config", "");
    expect([await detector.read("detector.rules"), await detector.read("threshold.config")]).toEqual([GOOD, ""]);
    expect(await detector.artifact(place.lay(MIXED))).toBe(MIXED);
    expect(await detector.artifact("/lost/set")).toBeUndefined();
  });
  it.skipIf(left !== null)(
    "tests what lies aside, counts it, and names with its reason what is not understood",
    async () => {
      await detector.write("threshold.config", "", true);
      expect(await detector.test()).toEqual({
        ok: true,
        value: { loaded: 2, failed: 1, first: [expect.stringMatching(/\b3\b.*: .*keyword/)] },
      });
      await detector.write("detector.rules", GOOD, true);
      expect(await detector.test()).toEqual({ ok: true, value: { loaded: 2, failed: 0, first: [] } });
    },
  );
  it.skipIf(left !== null)("answers nothing before it runs", async () => {
    for (const command of ["version", "ruleset-stats", "ruleset-reload-rules"])
      await expect(detector.ask(command)).rejects.toThrow(DoorError);
    await expect(detector.notUnderstood()).rejects.toThrow(DoorError);
  });
  it.skipIf(left !== null)("runs with the rules in force, and counts its packets", async () => {
    await place.begin();
    expect(await detector.ask("version")).toMatch(/^7\./);
    expect(await counts()).toMatchObject([{ rules_loaded: 2, rules_failed: 0 }]);
    expect(await detector.ask("iface-stat", { iface: "xenbr0" })).toMatchObject({
      pkts: expect.any(Number),
      drop: expect.any(Number),
    });
    await expect(detector.ask("no-such-command")).rejects.toThrow(DoorError);
    expect(await counts()).toMatchObject([{ rules_loaded: 2 }]);
  });
  it.skipIf(left !== null)(
    "takes other files only when it is told, calls that done whatever it makes of them, and counts",
    async () => {
      await detector.write("detector.rules", MIXED);
      expect(await counts()).toMatchObject([{ rules_loaded: 2, rules_failed: 0 }]);
      expect(await detector.ask("ruleset-reload-rules")).toBe("done");
      expect(await counts()).toMatchObject([{ rules_loaded: 2, rules_failed: 1 }]);
      expect(await detector.notUnderstood()).toEqual([expect.stringMatching(/\b3\b/)]);
      await detector.write("detector.rules", rule(3, "broken:1; "));
      expect(await detector.ask("ruleset-reload-rules")).toBe("done");
      expect(await counts()).toMatchObject([{ rules_loaded: 0, rules_failed: 1 }]);
      await detector.write("detector.rules", GOOD);
      expect(await detector.ask("ruleset-reload-rules")).toBe("done");
      expect(await counts()).toMatchObject([{ rules_loaded: 2, rules_failed: 0 }]);
      expect(await detector.notUnderstood()).toEqual([]);
    },
  );
  it.skipIf(left !== null)("answers on while its interface is down or gone, which is told apart", async () => {
    expect(await detector.link("xenbr0")).toBe("up");
    for (const is of ["down", "absent"] as const) {
      await place.link(is);
      expect(await detector.link("xenbr0")).toBe(is);
      expect(await counts()).toMatchObject([{ rules_loaded: 2 }]);
    }
  });
  it.skipIf(left !== null)("ends when it is told to, and answers no more", async () => {
    await detector.ask("shutdown");
    const isSilent = () =>
      detector.ask("version").then(
        () => false,
        (error: unknown) => error instanceof DoorError,
      );
    await until("it is gone", isSilent, undefined, LONG_MS);
  });
});
