/** The default policy as a person would write it: what a new group begins with, and what an editor shows first. */
export const POLICY_TEMPLATE = `# What is in force on every workstation of this group. A section that is left out has these defaults.
# mode: enforce makes a section true; audit only decides and records.
version: 1

usb:
  mode: enforce
  deviceRules: # USBGuard's rule language; the first match wins, no match blocks
    - allow with-interface equals { 08:06:50 }
    - allow with-interface equals { 08:06:62 }
    - allow with-interface equals { 08:06:50 08:06:62 } # a UAS stick: one interface, two settings
  infected: block # or hold: a person decides
  unscannable: hold # block, hold or allow: what the scanner could not look into
  definitionsDaysMax: 14 # older definitions make clean unscannable; null for any age
  present: rebuild # the guest gets a fresh file system of what passed; or image

network:
  mode: enforce
  otherwise: block # traffic that no rule names
  rules: []
  # - { name: web, verdict: allow, protocol: tcp, ports: ["80", "443"] }

ids:
  mode: enforce
  suppress: []

log:
  mode: enforce
  linesPerSecond: 500 # of one guest and source; what is held back is counted
  burstLines: 2000
  leastSeverity: debug

disk:
  mode: enforce
  require: luks2
  recoveryKey: true

agent:
  mode: enforce
  healthSeconds: 300
  reportSeconds: 60
  spoolBytesMax: 1073741824
  windowBatches: 8
`;
