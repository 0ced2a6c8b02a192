/** What a machine of the seeded fleet has on its trail: guests' lines, the detector's, the firewall's, sticks. */
import type { Seen } from "../../apps/web/test/seed.ts";
import type { Machine } from "./machines.ts";
import { stick } from "./sticks.ts";

/** 500 characters and no space: what breaks a layout that was only tried with lorem ipsum. */
const LONG_LINE = `GET /update?token=${"a9f3e1c7".repeat(48)} HTTP/1.1 from 198.51.100.23 \u001b[31mnot red\u202e`;

const guestLine = (guest: string, app: string, process: string, message: string, level: Seen["severity"] = "info") => ({
  kind: "guest.log",
  severity: level,
  guest,
  text: `${app}[${process}]: ${message}`,
  body: {
    via: "udp",
    from: "vif1.0",
    format: "rfc5424",
    app,
    process,
    message,
    claimedHost: "WIN11",
    claimedTime: "2026-11-24T08:00:00Z",
  },
});

const connection = (flow: string, port: number) => ({
  flow,
  source: "10.137.0.14",
  sourcePort: port,
  destination: "203.0.113.66",
  destinationPort: 8443,
  protocol: "TCP",
  eventTime: "2026-11-24T08:00:00.000+0000",
});

export function evidenceOf({ name, guest, agoMs }: Machine): Seen[] {
  const flow = "1889216389123456789";
  const opened = {
    kind: "trail.opened",
    severity: "notice",
    text: `a trail was opened on ${name}`,
    body: {
      trail: "33333333-3333-4333-8333-333333333333",
      agentVersion: "0.1.0",
      hostname: name,
      session: "11111111-1111-4111-8111-111111111111",
    },
  } as const;
  const said = [
    guestLine(guest, "kernel", "0", "usb 1-2: new high-speed USB device number 7 using xhci_hcd"),
    guestLine(guest, "sshd", "411", "Failed password for root from 203.0.113.9 port 40022 ssh2", "warning"),
    guestLine(guest, "sshd", "411", "Connection closed by authenticating user root 203.0.113.9 port 40022 [preauth]"),
    guestLine(guest, "nginx", "980", LONG_LINE),
    guestLine(guest, "systemd", "1", "Started Daily apt download activities."),
    guestLine(guest, "MsMpEng", "2204", "Echtzeitschutz: Signaturversion 1.401.2.0 geladen"),
  ];
  const seen: Omit<Seen, "agoMs">[] = [opened, ...said];
  if (name.startsWith("lab") || name.startsWith("fin-02")) {
    seen.push(
      {
        kind: "ids.event",
        severity: "info",
        text: `tls ${"win.example-cdn.net"} 10.137.0.14:51544 → 203.0.113.66:8443`,
        guest,
        body: { ...connection(flow, 51_544), type: "tls", event: {} },
      },
      {
        kind: "ids.alert",
        severity: "error",
        text: "ET MALWARE Cobalt Strike Beacon Observed 10.137.0.14:51544 → 203.0.113.66:8443",
        guest,
        body: {
          ...connection(flow, 51_544),
          signature: "ET MALWARE Cobalt Strike Beacon Observed",
          signatureId: 2_032_362,
          generator: 1,
          revision: 2,
          category: "Malware Command and Control Activity Detected",
          action: "allowed",
          event: {},
        },
      },
      {
        kind: "net.drop",
        severity: "notice",
        text: "dropped 203.0.113.66:8443 → 10.137.0.14:51544 by egress-default",
        guest,
        body: {
          ...connection("", 51_544),
          source: "203.0.113.66",
          sourcePort: 8443,
          destination: "10.137.0.14",
          destinationPort: 51_544,
          rule: "egress-default",
          in: "vif1.0",
          bytes: 1420,
          event: {},
        },
      },
    );
  }
  if (name === "lab-07" || name === "fin-02")
    seen.push(...stick(name === "lab-07" ? "SanDisk Ultra 32 GB" : "unnamed stick", true));
  if (name === "lab-12") seen.push(...stick("Kingston DT100 – Quartalszahlen und anderes", false));
  seen.push(...said.slice(1, 3), {
    kind: "agent.health",
    severity: "info",
    text: "up 4 d, 61 MB resident, clock synchronised, 412 GB free",
    body: {
      agentVersion: "0.1.0",
      node: "v24.21.0",
      uptimeSeconds: 345_600,
      residentBytes: 61_000_000,
      clock: { synchronised: true },
      spool: { records: 0, bytes: 0, bytesMax: 2 ** 30 },
      versions: { suricata: "7.0.10" },
    },
  });
  return seen.map((each, at) => ({ ...each, agoMs: agoMs + (seen.length - at) * 1_700 }));
}
