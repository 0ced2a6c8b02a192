/** The state folder's enrolment: keys, certificate, who we are. Written whole or not at all. */
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { GroupId, WorkstationId } from "@sallyport/shared/base/ids.ts";
import { KeyText } from "@sallyport/shared/base/key.ts";
import { whyNot } from "@sallyport/shared/base/why.ts";
import { SignedStatement } from "@sallyport/shared/policy/statement.ts";
import { z } from "zod";

/** `listener` is the console's address for agents; `consoleKeys` are as enrolled, a `keys` statement adds to them. */
export const EnrolmentFacts = z.object({
  workstation: WorkstationId,
  group: GroupId,
  name: z.string().max(253),
  listener: z.url(),
  mqtt: z.url(),
  consoleKeys: z.array(KeyText).min(1).max(8),
  membership: SignedStatement,
  enrolled: z.iso.datetime(),
});
export type EnrolmentFacts = z.infer<typeof EnrolmentFacts>;

/** `tls` is the TLS key and its certificate in one file, so that a renewal replaces both at once. */
export type Enrolment = { facts: EnrolmentFacts; trailKey: string; tls: Tls; ca: string };
export type Tls = { key: string; certificate: string };

/** Why the agent cannot go on, for the person who started it. */
export class EnrolmentError extends Error {
  override name = "EnrolmentError";
}

const FOLDER = "enrolment";
const files = (state: string) => {
  const at = (name: string) => join(state, FOLDER, name);
  return { facts: at("enrolment.json"), trailKey: at("trail.key"), tls: at("tls.pem"), ca: at("ca.crt") };
};

export const isEnrolled = (state: string): boolean => existsSync(files(state).facts);

/** Why nobody can say whether the file is there; a folder that others may not enter hides what is in it. */
function whyUnseen(path: string): string | undefined {
  try {
    accessSync(path, constants.R_OK);
    return undefined;
  } catch (error) {
    return ["EACCES", "EPERM"].includes((error as NodeJS.ErrnoException).code ?? "") ? whyNot(error) : undefined;
  }
}

/** @throws EnrolmentError */
export function readEnrolment(state: string): Enrolment {
  const at = files(state);
  const unseen = whyUnseen(at.facts);
  if (unseen !== undefined)
    throw new EnrolmentError(
      `Whether this machine is enrolled cannot be told: ${at.facts} cannot be read, since ${unseen}. Run this as root.`,
    );
  if (!isEnrolled(state)) {
    throw new EnrolmentError(
      `This machine is not enrolled: there is no ${FOLDER} in ${state}. Make a token on the console's Enrol page and run "sallyport-agent enrol TOKEN --state ${state}".`,
    );
  }
  try {
    const facts = EnrolmentFacts.parse(JSON.parse(readFileSync(at.facts, "utf8")));
    const trailKey = readFileSync(at.trailKey, "utf8");
    return { facts, trailKey, tls: splitTls(readFileSync(at.tls, "utf8")), ca: readFileSync(at.ca, "utf8") };
  } catch (error) {
    throw new EnrolmentError(`The enrolment in ${join(state, FOLDER)} cannot be read: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** Writes the whole enrolment beside the old one, syncs it, and puts it in its place; the old one is kept aside. */
export function writeEnrolment(state: string, { facts, trailKey, tls, ca }: Enrolment): void {
  mkdirSync(state, { recursive: true, mode: 0o700 });
  const fresh = join(state, `${FOLDER}.new`);
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { mode: 0o700 });
  writeSynced(join(fresh, "trail.key"), trailKey);
  writeSynced(join(fresh, "tls.pem"), joinTls(tls));
  writeSynced(join(fresh, "ca.crt"), ca);
  writeSynced(join(fresh, "enrolment.json"), `${JSON.stringify(facts, null, 2)}\n`);
  syncFolder(fresh);
  const place = join(state, FOLDER);
  if (existsSync(place)) renameSync(place, join(state, `${FOLDER}.${Date.now()}.old`));
  renameSync(fresh, place);
  syncFolder(state);
}

export function replaceTls(state: string, tls: Tls): void {
  replaceFile(files(state).tls, joinTls(tls));
}

/** Whole or not at all, and on disk when it returns. */
export function replaceFile(path: string, text: string): void {
  writeSynced(`${path}.new`, text);
  renameSync(`${path}.new`, path);
  syncFolder(dirname(path));
}

function writeSynced(path: string, text: string): void {
  const file = openSync(path, "w", 0o600);
  try {
    writeFileSync(file, text); // to the last byte, or an error: one write may end short on a disk that is nearly full
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function syncFolder(path: string): void {
  const folder = openSync(path, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

const joinTls = ({ key, certificate }: Tls): string => `${key.trimEnd()}\n${certificate.trimEnd()}\n`;

function splitTls(pem: string): Tls {
  const at = pem.indexOf("-----BEGIN CERTIFICATE-----");
  if (at <= 0) throw new TypeError("tls.pem holds no key and certificate");
  return { key: pem.slice(0, at), certificate: pem.slice(at) };
}
