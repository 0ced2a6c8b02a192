import { expect, test } from "vitest";
import { readEnv } from "./env.ts";

test("what is missing or wrong is told by name, all at once", () => {
  expect(() => readEnv({ DATABASE_URL: "mysql://x", SALLYPORT_LISTEN_PORT: "0" })).toThrow(
    /DATABASE_URL: a postgresql:\/\/ address.*SALLYPORT_STATE.*SALLYPORT_LISTEN_PORT/,
  );
});

test("the rest has defaults that fit one machine", () => {
  expect(readEnv({ DATABASE_URL: "postgresql://db/x", SALLYPORT_STATE: "/srv/sallyport" })).toEqual({
    DATABASE_URL: "postgresql://db/x",
    SALLYPORT_STATE: "/srv/sallyport",
    SALLYPORT_LISTEN_PORT: 8443,
  });
});
