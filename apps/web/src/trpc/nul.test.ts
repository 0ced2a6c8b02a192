import fc from "fast-check";
import { expect, test } from "vitest";
import { z } from "zod";
import type { Context } from "./context.ts";
import { holdsNul, refuseNul } from "./nul.ts";
import { open, router } from "./procedures.ts";

const NUL = "a\u0000b";
const post = (body: string, query = "") =>
  new Request(`http://console/api/auth/sign-in/email${query}`, { method: "POST", body });

test("it is found wherever it is, and nowhere else", () => {
  for (const held of [NUL, [NUL], { a: { b: [1, NUL] } }, { [NUL]: 1 }]) expect(holdsNul(held)).toBe(true);
  const spelt = (value: unknown) => JSON.stringify(value).replaceAll("\\\\", "").includes("\\u0000");
  fc.assert(fc.property(fc.jsonValue(), (value) => holdsNul(value) === spelt(value)));
});

test("input as deep as a body allows is looked through", () => {
  let deep: unknown = NUL;
  for (let at = 0; at < 200_000; at++) deep = [deep];
  expect(holdsNul(deep)).toBe(true);
});

test.each([
  ["a body of JSON", post(JSON.stringify({ email: `${NUL}@example.org`, password: "x" }))],
  ["a form", post("email=a%00b&password=x")],
  ["a query", post("{}", "?token=a%00b")],
  ["a body of no form", post(NUL)],
])("%s that holds it is refused with a sentence", async (_what, request) => {
  const answer = await refuseNul(request);
  expect(answer?.status).toBe(400);
  expect(await answer?.json()).toMatchObject({ message: expect.stringContaining("U+0000") });
});

test("a body without it is let through, and can still be read", async () => {
  const request = post(JSON.stringify({ email: "a@example.org", password: "%00" }));
  expect(await refuseNul(request)).toBeUndefined();
  expect(await request.json()).toMatchObject({ email: "a@example.org" });
  expect(await refuseNul(new Request("http://console/api/auth/get-session"))).toBeUndefined();
});

test("no procedure is asked anything that holds it", async () => {
  const asked: string[] = [];
  const guarded = router({
    find: open.input(z.object({ text: z.array(z.string()) })).query(({ input }) => void asked.push(...input.text)),
  }).createCaller({} as Context);
  await expect(guarded.find({ text: ["x", NUL] })).rejects.toMatchObject({
    code: "BAD_REQUEST",
    message: expect.stringContaining("U+0000"),
  });
  await guarded.find({ text: ["x"] });
  expect(asked).toEqual(["x"]);
});
