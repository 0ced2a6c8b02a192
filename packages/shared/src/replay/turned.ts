/** What a section's part of a replay tells of the rows it was given. */
import type { Flip } from "./flip.ts";
import type { Input, Seen } from "./input.ts";

/** Decisions that come out otherwise: how many, by which rule, and what each policy says in words. */
export type Turned = {
  flip: Flip;
  row: Seen;
  input: Input;
  count: number;
  rule: string;
  before: string;
  after: string;
};

export type Told = {
  turned: (each: Turned) => void;
  /** Decisions of which the history does not say enough. */
  unknown: (why: string, count: number) => void;
  /** Decisions that were made otherwise then than the policy in force makes them. */
  otherwiseThen: (count: number) => void;
};
