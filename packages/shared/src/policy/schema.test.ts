import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { policyJsonSchema } from "./policy.ts";

const FILE = new URL("../../policy.schema.json", import.meta.url);

it("the schema kept for editors is the one the sections make", () => {
  const kept: unknown = JSON.parse(readFileSync(FILE, "utf8"));
  expect(kept, "npx sallyport policy schema > packages/shared/policy.schema.json").toEqual(
    JSON.parse(JSON.stringify(policyJsonSchema())),
  );
});
