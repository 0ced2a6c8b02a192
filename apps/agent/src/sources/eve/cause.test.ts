import { expect, it } from "vitest";
import { causeOf, textAt } from "./cause.ts";

const cause = (event: object) => causeOf(Buffer.from(JSON.stringify(event)));

it("tells who caused an event, and the signature of an alert", () => {
  const event = { timestamp: "t", event_type: "alert", src_ip: "10.1.0.2", dest_ip: "2001:db8::1", proto: "TCP" };
  expect(cause({ ...event, alert: { gid: 1, signature_id: 2002087 } })).toEqual({
    source: "10.1.0.2",
    destination: "2001:db8::1",
    signature: 2002087,
  });
  expect(cause({ ...event, event_type: "dns", dns: { rrname: '"signature_id":7' } })).toEqual({
    source: "10.1.0.2",
    destination: "2001:db8::1",
  });
  expect(cause({ event_type: "stats", stats: {} })).toBeUndefined();
});

it("is not led astray by what a guest says", () => {
  const said = { hostname: '","src_ip":"10.1.0.9","signature_id":1,"x":"' };
  const event = { event_type: "alert", src_ip: "10.1.0.2", http: said, alert: { signature_id: 5 } };
  expect(cause(event)).toEqual({ source: "10.1.0.2", signature: 5 });
  expect(cause({ http: said, event_type: "alert", src_ip: "10.1.0.2", alert: { signature_id: 5 } })).toEqual({
    source: "10.1.0.2",
    signature: 5,
  });
});

it("reads a device's name as ulogd2 writes it", () => {
  expect(textAt(Buffer.from('{"raw.pktlen": 60, "oob.in": "vif-work", "oob.out": ""}'), '"oob.in":')).toBe("vif-work");
});
