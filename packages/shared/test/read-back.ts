/** What travels: each value that a contract allows comes back the same, and whatever else comes is answered, not thrown. */
import fc from "fast-check";
import { expect } from "vitest";
import type { z } from "zod";
import { spoiled, textOf } from "./drawn.ts";

export function readsBack(drawn: fc.Arbitrary<unknown>, schema: z.ZodType): void {
  fc.assert(
    fc.property(drawn, (value) => {
      expect(schema.parse(JSON.parse(JSON.stringify(value)))).toEqual(value);
    }),
  );
  answersAnything(drawn, schema);
}

export function answersAnything(drawn: fc.Arbitrary<unknown>, ...schemas: z.ZodType[]): void {
  fc.assert(
    fc.property(spoiled(drawn).map(textOf), (text) => {
      for (const schema of schemas) schema.safeParse(JSON.parse(text));
    }),
  );
}
