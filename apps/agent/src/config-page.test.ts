import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { AgentConfig } from "./config.ts";

const page = readFileSync(new URL("../../../docs/configuration.md", import.meta.url), "utf8");
const keys = Object.keys(AgentConfig.shape).sort();

test("the page on config.json has a row for each key, and none for a key that is not there", () => {
  const rows = [...page.matchAll(/^\| (`.*?) \|/gm)].flatMap(([, cell]) => [...cell!.matchAll(/`(\w+)`/g)]);
  expect(rows.map(([, key]) => key).sort()).toEqual(keys);
});

test("its sample is a configuration", () => {
  const [, sample] = /^```json\n([\s\S]*?)^```$/m.exec(page)!;
  const { success, error } = AgentConfig.safeParse(JSON.parse(sample!));
  expect({ success, error }).toEqual({ success: true, error: undefined });
});
