import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { flip, flipped, uuid } from "../../test/drawn.ts";
import { fromUtf8, toUtf8 } from "../base/bytes.ts";
import type { WorkstationId } from "../base/ids.ts";
import { DOWN, REFUSED, readTopic, shardFilter, shardOf, topic, UP } from "./topics.ts";

const channel = fc.constantFrom(...UP, ...DOWN, REFUSED);

describe("a topic", () => {
  it("of any text is answered, and what is read is spelt in one way", () => {
    const levels = fc.array(
      fc.oneof(fc.constantFrom("sallyport", "1", "3f", "+", "#", "batch"), fc.uuid({ version: 4 }), fc.string()),
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: "binary" }),
          levels.map((all) => all.join("/")),
        ),
        (text) => {
          const read = readTopic(text);
          if (read.ok) expect(topic(read.value.workstation, read.value.channel)).toBe(text);
          else expect(read.error).toMatch(/topic/);
        },
      ),
    );
  });

  it("reads back, and lies under its shard's filter", () => {
    fc.assert(
      fc.property(uuid<WorkstationId>(), channel, fc.constantFrom(...UP, REFUSED), (workstation, channel, up) => {
        expect(readTopic(topic(workstation, channel))).toEqual({ ok: true, value: { workstation, channel } });
        const filter = shardFilter(shardOf(workstation), up).split("/");
        const levels = topic(workstation, up).split("/");
        expect(filter.map((each, at) => (each === "+" ? "+" : levels[at]))).toEqual(filter);
      }),
    );
  });

  it("with one byte changed is refused, or is plainly another workstation's or channel's", () => {
    fc.assert(
      fc.property(uuid<WorkstationId>(), channel, flip, (workstation, channel, change) => {
        const bytes = flipped(toUtf8(topic(workstation, channel)), { ...change, by: change.by & 0x7f || 1 });
        const read = readTopic(fromUtf8(bytes));
        if (read.ok) expect(read.value).not.toEqual({ workstation, channel });
      }),
    );
  });
});
