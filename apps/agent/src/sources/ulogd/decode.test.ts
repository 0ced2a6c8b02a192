import { expect, it } from "vitest";
import { decodeUlogd } from "./decode.ts";

it("a packet that was only audited is not said to be dropped", () => {
  const line = (prefix: string) =>
    Buffer.from(JSON.stringify({ "oob.prefix": prefix, src_ip: "10.1.0.2", dest_ip: "192.0.2.1", "ip.protocol": 6 }));
  const textOf = (prefix: string) => decodeUlogd({ bytes: line(prefix), from: "drops.json" }, 0)[0]!.text;
  expect(textOf("rule 3 web")).toBe("dropped 10.1.0.2 → 192.0.2.1 tcp by rule 3 web");
  expect(textOf("audit rule 3 web")).toBe("would be dropped 10.1.0.2 → 192.0.2.1 tcp by audit rule 3 web");
});
