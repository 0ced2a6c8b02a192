/** The detector's configuration: everything it needs and nothing it would guess. Pure. */
import { socketOf } from "../dom0/detector.ts";

export type DetectorConfig = { interface: string; folder: string; classification?: string; reference?: string };

/** Groups of addresses that rule sets speak of: what is ours is not known here, so nothing is left out. */
const ADDRESSES = [
  "HOME_NET",
  "EXTERNAL_NET",
  "HTTP_SERVERS",
  "SMTP_SERVERS",
  "SQL_SERVERS",
  "DNS_SERVERS",
  "TELNET_SERVERS",
  "AIM_SERVERS",
  "DC_SERVERS",
  "DNP3_SERVER",
  "DNP3_CLIENT",
  "MODBUS_CLIENT",
  "MODBUS_SERVER",
  "ENIP_CLIENT",
  "ENIP_SERVER",
];
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

/** `aside` reads its rules and thresholds from the folder beside, to be tested. */
export function detectorYaml(
  { interface: device, folder, classification, reference }: DetectorConfig,
  aside: boolean,
): string {
  const at = aside ? `${folder}/aside` : folder;
  return `%YAML 1.1
---
# written by sallyport-agent; changes are put back
vars:
  address-groups:
${ADDRESSES.map((name) => `    ${name}: "any"`).join("\n")}
  port-groups:
${Object.entries(PORTS)
  .map(([name, ports]) => `    ${name}: ${text(ports)}`)
  .join("\n")}
default-log-dir: ${text(`${at}/log`)}
stats:
  enabled: yes
  interval: 30
outputs:
  - eve-log:
      enabled: yes
      filetype: regular
      filename: eve.json
      types:
        - alert:
            tagged-packets: yes
        - anomaly
        - dns
        - http
        - tls
        - files
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
    cluster-id: 99
    cluster-type: cluster_flow
    defrag: yes
    tpacket-v3: yes
unix-command:
  enabled: yes
  filename: ${text(socketOf(folder))}
app-layer:
  protocols:
    http:
      enabled: yes
    http2:
      enabled: yes
    tls:
      enabled: yes
      detection-ports:
        dp: 443
    dns:
      tcp:
        enabled: yes
        detection-ports:
          dp: 53
      udp:
        enabled: yes
        detection-ports:
          dp: 53
    ssh:
      enabled: yes
    smtp:
      enabled: yes
    ftp:
      enabled: yes
    smb:
      enabled: yes
      detection-ports:
        dp: 139, 445
    dhcp:
      enabled: yes
    krb5:
      enabled: yes
    ntp:
      enabled: yes
    quic:
      enabled: yes
    rdp:
      enabled: yes
    tftp:
      enabled: yes
classification-file: ${text(classification ?? "/etc/suricata/classification.config")}
reference-config-file: ${text(reference ?? "/etc/suricata/reference.config")}
threshold-file: ${text(`${at}/threshold.config`)}
default-rule-path: ${text(at)}
rule-files:
  - detector.rules
`;
}
