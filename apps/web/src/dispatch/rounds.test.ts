import { expect, test } from "vitest";
import { Rounds } from "./rounds.ts";

/** Longer than any test: whatever looks sooner was woken. */
const NEVER_MS = 1_000_000;

/** Runs until `enough` looks; each look does what `act` says of its number. */
async function looks(rounds: Rounds, enough: number, act: (look: number) => void = () => undefined) {
  const stop = new AbortController();
  const told: string[] = [];
  let count = 0;
  const look = async () => {
    count++;
    if (count === enough) stop.abort();
    act(count);
  };
  await rounds.run(stop.signal, look, (error) => told.push(error.message));
  return { count, told };
}

test("looks at once, and again after what rang while it looked", async () => {
  const rounds = new Rounds(NEVER_MS);
  expect(await looks(rounds, 3, () => rounds.wake())).toEqual({ count: 3, told: [] });
});

test("looks at its pace where nobody rings", async () => {
  expect((await looks(new Rounds(1), 3)).count).toBe(3);
});

test("is woken from its sleep, and ends in it with the signal", async () => {
  const rounds = new Rounds(NEVER_MS);
  const stop = new AbortController();
  let count = 0;
  const turns: (() => void)[] = [];
  const turn = () => new Promise<void>((resolve) => turns.push(resolve));
  const look = async () => {
    count++;
    turns.shift()?.();
  };
  const [first, second] = [turn(), turn()];
  const running = rounds.run(stop.signal, look, () => undefined);
  await first;
  rounds.wake();
  await second;
  stop.abort();
  await running;
  expect(count).toBe(2);
});

test("tells what failed, and looks again", async () => {
  const rounds = new Rounds(1);
  const got = await looks(rounds, 2, (look) => {
    if (look === 1) throw new Error("the database is away");
  });
  expect(got).toEqual({ count: 2, told: ["the database is away"] });
});
