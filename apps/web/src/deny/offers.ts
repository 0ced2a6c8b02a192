/** A record → what of it a person may want to block everywhere: its files, its device, its far side. Pure. */
import { readDenied } from "@sallyport/shared/policy/deny-text.ts";
import { VIF_PREFIX } from "@sallyport/shared/policy/network/firewall.ts";
import { deniedWords } from "@sallyport/shared/policy/overlay.ts";
import { IdsAlert, IdsEvent, NetDrop } from "@sallyport/shared/record/ids.ts";
import { UsbDeviceBody } from "@sallyport/shared/record/usb.ts";
import type { UsbDevice } from "@sallyport/shared/usb/device.ts";
import { notClean } from "@sallyport/shared/usb/manifest.ts";
import { byteString } from "@sallyport/shared/usb/rules/cursor.ts";
import { printRule } from "@sallyport/shared/usb/rules/print.ts";
import type { AttributeName } from "@sallyport/shared/usb/rules/rule.ts";
import { ScanBody } from "@sallyport/shared/usb/scan.ts";

/** `what` as readDenied takes it. */
export type Offer = { what: string; about: string };

const OFFERS_MAX = 6;
/** Inside: never a far side. */
const INSIDE =
  /^(?:10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|169\.254\.|127\.|f[cd][0-9a-f]{2}:|fe[89ab][0-9a-f]:|::1$)/i;

export function offersOf(kind: string, untrusted: unknown): Offer[] {
  return [...new Map(offers(kind, untrusted).map((offer) => [offer.what, offer])).values()]
    .filter(({ what }) => readDenied(what).ok)
    .slice(0, OFFERS_MAX);
}

function offers(kind: string, untrusted: unknown): Offer[] {
  switch (kind) {
    case "usb.scan": {
      const scan = ScanBody.safeParse(untrusted);
      return scan.success ? ofScan(scan.data) : [];
    }
    case "usb.device": {
      const body = UsbDeviceBody.safeParse(untrusted);
      return body.success && body.data.device ? ofDevice(body.data.device) : [];
    }
    case "net.drop": {
      const drop = NetDrop.safeParse(untrusted);
      return drop.success ? ofDrop(drop.data) : [];
    }
    case "ids.alert": {
      const alert = IdsAlert.safeParse(untrusted);
      return alert.success ? ofEnds(alert.data) : [];
    }
    case "ids.event": {
      const event = IdsEvent.safeParse(untrusted);
      return event.success ? [...ofNames(event.data.event), ...ofEnds(event.data)] : [];
    }
    default:
      return [];
  }
}

/** Files that are not clean first, the infected ones before the others; then the whole image. */
function ofScan({ manifest, image }: ScanBody): Offer[] {
  const files = notClean(manifest).filter(({ sha256 }) => sha256 !== null);
  return [
    ...files.map((file) => ({ what: file.sha256!, about: `the file ${file.path ?? "with a name that is no text"}` })),
    ...(image ? [{ what: image.sha256, about: "the stick’s whole image" }] : []),
  ];
}

function ofDevice({ id, serial, hash, name }: UsbDevice): Offer[] {
  const one = (attributes: [AttributeName, string][]): string =>
    printRule({
      target: "block",
      attributes: Object.fromEntries(
        attributes.map(([attribute, value]) => [attribute, { operator: "equals", values: [value] }]),
      ),
      conditions: null,
      line: 1,
    });
  return [
    serial === ""
      ? { what: one([["hash", byteString(hash)]]), about: "this very device" }
      : {
          what: one([
            ["id", id],
            ["serial", byteString(serial)],
          ]),
          about: "this very device",
        },
    { what: one([["id", id]]), about: `every ${name === "" ? id : name}` },
  ];
}

function ofDrop(drop: NetDrop): Offer[] {
  const isOut = drop.in?.startsWith(VIF_PREFIX) ?? false;
  return isOut ? ofEnd(drop.destination, drop.destinationPort) : ofEnd(drop.source, undefined);
}

/** The far side is the one that is not inside; where both are, or neither, either may be meant. */
function ofEnds({ source, destination, destinationPort }: NetDrop | IdsAlert | IdsEvent): Offer[] {
  const ends = [ofEnd(destination, destinationPort), ofEnd(source, undefined)];
  const outside = [destination, source].map((address) => address !== undefined && !INSIDE.test(address));
  return outside.includes(true) ? ends.flatMap((end, at) => (outside[at] ? end : [])) : ends.flat();
}

function ofEnd(address: string | undefined, port: number | undefined): Offer[] {
  if (address === undefined) return [];
  const whole = { what: address, about: "the address" };
  if (port === undefined || port === 0) return [whole];
  const what = address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
  return [whole, { what, about: "the address on that port" }];
}

function ofNames(event: Record<string, unknown>): Offer[] {
  const of = (key: string, name: string) => (event[key] as Record<string, unknown> | undefined)?.[name];
  const names = [of("dns", "rrname"), of("tls", "sni"), of("http", "hostname")];
  return names.flatMap((name) => (typeof name === "string" ? [{ what: name, about: "the name" }] : []));
}

/** As it will be written. */
export function offerWords({ what }: Offer): string {
  const read = readDenied(what);
  return read.ok ? deniedWords(read.value) : what;
}
