import { expect, it, vi } from "vitest";
import { z } from "zod";
import { Refusal } from "./errors.ts";
import { answered } from "./plain.ts";

const failing = (error: unknown) =>
  answered(async () => {
    throw error;
  })();
const lost = Object.assign(new Error("connect ECONNREFUSED 127.0.0.1:5432"), { code: "ECONNREFUSED" });

it.each<[string, unknown, number, RegExp]>([
  ["what is not there", new Refusal("NOT_FOUND", "There is no group x."), 404, /^There is no group x\.$/],
  ["what is no longer so", new Refusal("CONFLICT", "Look again."), 409, /^Look again\.$/],
  ["what makes no sense", z.string().safeParse(1).error, 400, /a text is wanted here/],
  ["a database that is away", lost, 503, /^The database does not answer/],
  ["a pool with none free", new Error("timeout exceeded when trying to connect"), 503, /does not answer/],
])("%s is answered with its sentence", async (_name, error, status, words) => {
  const answer = await failing(error);
  expect(answer.status).toBe(status);
  expect(((await answer.json()) as { error: string }).error).toMatch(words);
});

it("a fault of the console's own is told to the log, not to who asked", async () => {
  const logged = vi.spyOn(console, "error").mockImplementation(() => undefined);
  const answer = await failing(new Error("secret of the store"));
  expect(answer.status).toBe(500);
  expect(await answer.text()).not.toContain("secret");
  expect(String(logged.mock.calls[0])).toContain("secret of the store");
  logged.mockRestore();
});
