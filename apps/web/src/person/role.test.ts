import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { ACTS, may, mayManage, ROLE_WORDS, ROLES, type Role } from "./role.ts";

const granted = (role: Role) => Object.keys(ACTS).filter((act) => may(role, act as keyof typeof ACTS));

test("each role may do what its sentence says, and nothing else", () => {
  expect(Object.fromEntries(ROLES.map((role) => [role, granted(role).join(" ")]))).toEqual({
    viewer: "entries content",
    responder: "entries content triage command deny",
    admin:
      "entries content triage command deny destroy policy enrol workstations destinations people quarantine escrow",
    owner:
      "entries content triage command deny destroy policy enrol workstations destinations people quarantine escrow",
    auditor: "entries",
  });
});

test("only an owner manages owners; nobody below admin manages anybody", () => {
  const pairs = ROLES.flatMap((actor) =>
    ROLES.filter((subject) => mayManage(actor, subject)).map((s) => `${actor}>${s}`),
  );
  expect(pairs).toEqual([
    "admin>viewer",
    "admin>responder",
    "admin>admin",
    "admin>auditor",
    "owner>viewer",
    "owner>responder",
    "owner>admin",
    "owner>owner",
    "owner>auditor",
  ]);
});

test("the page on operating the console says of each role what the console says", () => {
  const page = readFileSync(new URL("../../../../docs/operations.md", import.meta.url), "utf8");
  for (const role of ROLES) expect(page).toContain(`| \`${role}\` | ${ROLE_WORDS[role]} |`);
});
