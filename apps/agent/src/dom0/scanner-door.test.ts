import fc from "fast-check";
import { expect, it } from "vitest";
import { chunkCounter } from "./scanner-door.ts";

const chunk = (bytes: Uint8Array): Buffer => {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(bytes.length);
  return Buffer.concat([head, bytes]);
};

it("a stream ends with its chunk of no bytes, however it is cut; what follows is not of it", () => {
  const content = fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 20 });
  fc.assert(
    fc.property(content, fc.uint8Array({ maxLength: 50 }), fc.integer({ min: 1, max: 97 }), (chunks, more, step) => {
      const stream = Buffer.concat([...chunks.map(chunk), Buffer.alloc(4)]);
      const whole = Buffer.concat([stream, more]);
      const count = chunkCounter();
      let own = 0;
      for (let at = 0; at < whole.length; at += step) own += count(whole.subarray(at, at + step));
      expect(own).toBe(stream.length);
    }),
  );
});
