/** Who may do what. Pure; the router asks it, and the pages hide what it would refuse. */

export const ROLES = ["viewer", "responder", "admin", "owner", "auditor"] as const;
export type Role = (typeof ROLES)[number];

export const ACTS = {
  /** Lists, counts, entries and proofs: nothing that a guest or a stick said. */
  entries: "see lists and proofs",
  content: "read the contents of records",
  triage: "acknowledge and close alerts",
  command: "isolate a workstation, pause its guest or have it looked into",
  deny: "block a file, a device or an address at once, or lift that",
  destroy: "end guests and wipe volumes",
  policy: "write and publish policy",
  enrol: "make enrolment tokens",
  workstations: "revoke, move and describe workstations",
  destinations: "decide where alerts are sent",
  people: "add people and change their roles",
  /** They may be hostile, and may hold what a guest said. */
  quarantine: "take the bytes of refused messages",
  escrow: "take sealed recovery keys of volumes",
} as const;
export type Act = keyof typeof ACTS;

const RESPONDER: readonly Act[] = ["entries", "content", "triage", "command", "deny"];
const ADMIN: readonly Act[] = [
  ...RESPONDER,
  ...(["destroy", "policy", "enrol", "workstations", "destinations", "people", "quarantine", "escrow"] as const),
];

const MAY: Record<Role, readonly Act[]> = {
  auditor: ["entries"],
  viewer: ["entries", "content"],
  responder: RESPONDER,
  admin: ADMIN,
  owner: ADMIN,
};

export const may = (role: Role, act: Act): boolean => MAY[role].includes(act);

/** Only an owner makes or unmakes owners; an admin manages everybody else. */
export const mayManage = (actor: Role, subject: Role): boolean =>
  actor === "owner" || (actor === "admin" && subject !== "owner");

export const ROLE_WORDS: Record<Role, string> = {
  viewer: "reads everything, changes nothing",
  responder: "a viewer who triages alerts, isolates workstations and blocks what must not spread",
  admin:
    "a responder who writes policy, enrols, moves, revokes and wipes workstations, decides where alerts go, and adds people",
  owner: "an admin who may also make owners",
  auditor: "verifies that evidence is whole, without reading its contents",
};
