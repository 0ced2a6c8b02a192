/** The detector's configuration: everything it needs and nothing it would guess. Rule sets are written for Suricata's own
 *  default configuration, so groups, ports and protocols are as there. Pure. */

import type { IdsSection } from "@sallyport/shared/policy/ids.ts";
import { familyOf, joinRanges, rangeOf } from "@sallyport/shared/policy/network/address.ts";
import { socketOf } from "../dom0/detector.ts";

export type DetectorConfig = {
  interface: string;
  folder: string;
  /** What the guests may call themselves; without any, they are taken to be within the private networks. */
  addresses: readonly string[];
  /** That read packets, each with a ring of its own. */
  threads: number;
  classification?: string;
  reference?: string;
};

/** Dom0 has a virtual processor for each of the machine's unless it was told otherwise. */
export const THREADS_MAX = 4;
/** What comes while the detector gets no time waits in the ring of its thread, 32 MiB of the kernel's memory: Suricata's own
 *  default is 2 MiB, which is a moment of a download. Frames are counted at 1,600 bytes; a block takes a whole segment as a
 *  guest's card hands it over (64 KiB), and is handed on when it is full or so old. */
const RING_FRAMES = 20_000;
const BLOCK_BYTES = 131_072;
const BLOCK_MS = 100;

const PRIVATE = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"];
const LINK_LOCAL = "fe80::/10";

/** HOME_NET: the guests' addresses and those the policy adds. Never everything: then there were no outside, and each
 *  rule that speaks of one would be refused. */
export function homeNet(addresses: readonly string[], added: readonly string[] = []): string[] {
  const known = [...new Set([...addresses, ...added])].filter((address) => !address.endsWith("/0"));
  const isAll = ([4, 6] as const).some((family) => {
    const [first, ...more] = joinRanges(familyOf(known.map(rangeOf), family));
    const all = rangeOf(family === 4 ? "0.0.0.0/0" : "::/0");
    return first !== undefined && more.length === 0 && first.from === all.from && first.to === all.to;
  });
  return [...(known.length > 0 && !isAll ? known : PRIVATE), LINK_LOCAL];
}

const ADDRESSES = {
  EXTERNAL_NET: "!$HOME_NET",
  HTTP_SERVERS: "$HOME_NET",
  SMTP_SERVERS: "$HOME_NET",
  SQL_SERVERS: "$HOME_NET",
  DNS_SERVERS: "$HOME_NET",
  TELNET_SERVERS: "$HOME_NET",
  AIM_SERVERS: "$EXTERNAL_NET",
  DC_SERVERS: "$HOME_NET",
  DNP3_SERVER: "$HOME_NET",
  DNP3_CLIENT: "$HOME_NET",
  MODBUS_CLIENT: "$HOME_NET",
  MODBUS_SERVER: "$HOME_NET",
  ENIP_CLIENT: "$HOME_NET",
  ENIP_SERVER: "$HOME_NET",
};
const PORTS = {
  HTTP_PORTS: "80",
  SHELLCODE_PORTS: "!80",
  ORACLE_PORTS: "1521",
  SSH_PORTS: "22",
  DNP3_PORTS: "20000",
  MODBUS_PORTS: "502",
  FILE_DATA_PORTS: "[$HTTP_PORTS,110,143]",
  FTP_PORTS: "21",
  GENEVE_PORTS: "6081",
  VXLAN_PORTS: "4789",
  TEREDO_PORTS: "3544",
};
/** Written by people or by the packager: nothing of a guest's comes in here. */
const text = (value: string): string => JSON.stringify(value);
const group = (values: Record<string, string>): string =>
  Object.entries(values)
    .map(([name, value]) => `    ${name}: ${text(value)}`)
    .join("\n");

/** `aside` reads its rules and thresholds from the folder beside, to be tested. */
export function detectorYaml(
  { interface: device, folder, addresses, threads, classification, reference }: DetectorConfig,
  section: Pick<IdsSection, "homeNet">,
  aside: boolean,
): string {
  const at = aside ? `${folder}/aside` : folder;
  return `%YAML 1.1
---
# written by sallyport-agent; changes are put back
vars:
  address-groups:
    HOME_NET: ${text(`[${homeNet(addresses, section.homeNet).join(",")}]`)}
${group(ADDRESSES)}
  port-groups:
${group(PORTS)}
default-log-dir: ${text(aside ? `${at}/log` : `${folder}/run`)}
stats:
  enabled: yes
  interval: 30
outputs:
  - eve-log:
      enabled: yes
      filetype: regular
      filename: ${text(`${at}/log/eve.json`)}
      types:
        - alert:
            tagged-packets: yes
        - anomaly
        - dns
        - http:
            extended: yes
        - http2
        - tls:
            extended: yes
        - files
        - smtp
        - ftp
        - smb
        - nfs
        - tftp
        - rdp
        - rfb
        - dcerpc
        - krb5
        - snmp
        - sip
        - ike
        - quic
        - mqtt
        - dhcp
        - bittorrent-dht
        - ssh
        - flow
        - stats:
            totals: yes
            threads: no
logging:
  default-log-level: notice
  outputs:
    - console:
        enabled: yes
af-packet:
  - interface: ${text(device)}
    cluster-id: 5313
    cluster-type: cluster_flow
    defrag: yes
    tpacket-v3: yes
    threads: ${threads}
    ring-size: ${RING_FRAMES}
    block-size: ${BLOCK_BYTES}
    block-timeout: ${BLOCK_MS}
unix-command:
  enabled: yes
  filename: ${text(socketOf(folder))}
app-layer:
  protocols:
    http:
      enabled: yes
      libhtp:
        default-config:
          personality: IDS
          request-body-limit: 100kb
          response-body-limit: 100kb
          response-body-decompress-layer-limit: 2
    http2:
      enabled: yes
    tls:
      enabled: yes
      ja3-fingerprints: auto
      ja4-fingerprints: auto
      detection-ports:
        dp: 443
    quic:
      enabled: yes
      ja3-fingerprints: auto
      ja4-fingerprints: auto
    dns:
      tcp:
        enabled: yes
        detection-ports:
          dp: 53
      udp:
        enabled: yes
        detection-ports:
          dp: 53
    smtp:
      enabled: yes
      mime:
        decode-mime: yes
        decode-base64: yes
        decode-quoted-printable: yes
        header-value-depth: 2000
        extract-urls: yes
      inspected-tracker:
        content-limit: 100000
        content-inspect-min-size: 32768
        content-inspect-window: 4096
    imap:
      enabled: detection-only
    smb:
      enabled: yes
      detection-ports:
        dp: 139, 445
    rfb:
      enabled: yes
      detection-ports:
        dp: 5900, 5901, 5902, 5903, 5904, 5905, 5906, 5907, 5908, 5909
    modbus:
      enabled: yes
      detection-ports:
        dp: 502
      stream-depth: 0
    dnp3:
      enabled: yes
      detection-ports:
        dp: 20000
    enip:
      enabled: yes
      detection-ports:
        dp: 44818
        sp: 44818
    pgsql:
      enabled: yes
      stream-depth: 0
${ENABLED.map((name) => `    ${name}:\n      enabled: yes`).join("\n")}
classification-file: ${text(classification ?? "/etc/suricata/classification.config")}
reference-config-file: ${text(reference ?? "/etc/suricata/reference.config")}
threshold-file: ${text(`${at}/threshold.config`)}
default-rule-path: ${text(at)}
rule-files:
  - detector.rules
`;
}

/** With nothing to say of them. */
const ENABLED = [
  "bittorrent-dht",
  "dcerpc",
  "dhcp",
  "ftp",
  "ike",
  "krb5",
  "mqtt",
  "nfs",
  "ntp",
  "rdp",
  "sip",
  "snmp",
  "ssh",
  "telnet",
  "tftp",
];
