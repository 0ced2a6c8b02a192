/** Who may do what. Pure; the router asks it, and the pages hide what it would refuse. */

export const ROLES = ["viewer", "responder", "admin", "owner", "auditor"] as const;
export type Role = (typeof ROLES)[number];

export const ACTS = {
  /** Lists, counts, entries and proofs: nothing that a guest or a stick said. */
  entries: "see lists and proofs",
  content: "read the contents of records",
  triage: "acknowledge and close alerts",
  policy: "write and publish policy",
  enrol: "make enrolment tokens",
  workstations: "revoke, move and describe workstations",
  people: "add people and change their roles",
} as const;
export type Act = keyof typeof ACTS;

const MAY: Record<Role, readonly Act[]> = {
  auditor: ["entries"],
  viewer: ["entries", "content"],
  responder: ["entries", "content", "triage"],
  admin: ["entries", "content", "triage", "policy", "enrol", "workstations", "people"],
  owner: ["entries", "content", "triage", "policy", "enrol", "workstations", "people"],
};

export const may = (role: Role, act: Act): boolean => MAY[role].includes(act);

/** Only an owner makes or unmakes owners; an admin manages everybody else. */
export const mayManage = (actor: Role, subject: Role): boolean =>
  actor === "owner" || (actor === "admin" && subject !== "owner");

export const ROLE_WORDS: Record<Role, string> = {
  viewer: "reads everything, changes nothing",
  responder: "a viewer who triages alerts",
  admin: "a responder who writes policy, enrols, moves and revokes workstations, and adds people",
  owner: "an admin who may also make owners",
  auditor: "verifies that evidence is whole, without reading its contents",
};
