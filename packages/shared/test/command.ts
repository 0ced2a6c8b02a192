/** Commands as the contract allows them, for property tests. */
import fc from "fast-check";
import type { CommandId, GuestId } from "../src/base/ids.ts";
import type { Command } from "../src/command/command.ts";
import { VERBS, type Verb } from "../src/command/verb.ts";
import { time, uuid } from "./drawn.ts";

const guest = fc.stringMatching(/^[a-z0-9][a-z0-9._-]{0,20}$/) as fc.Arbitrary<GuestId>;
const none = fc.constant({});
const ARGUMENTS: Record<Verb, fc.Arbitrary<object>> = {
  isolate: fc.record({ until: time }),
  release: none,
  pause: fc.record({ guest }),
  resume: fc.record({ guest }),
  "destroy-guest": fc.record({ guest }),
  rescan: none,
  diagnostics: none,
  wipe: fc.record({ volume: fc.uuid() }),
  "start-guest": fc.record({ guest }),
};

export const drawnCommand = fc
  .constantFrom(...VERBS)
  .chain((verb) =>
    fc.record({ id: uuid<CommandId>(), verb: fc.constant(verb), arguments: ARGUMENTS[verb], notAfter: time }),
  ) as fc.Arbitrary<Command>;
