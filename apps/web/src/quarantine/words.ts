/** What was refused, in words for people. Pure. */
import { readTopic } from "@sallyport/shared/wire/topics.ts";
import type { Refused } from "../ingest/judge.ts";

/** One sentence for each code that ingest refuses with. */
const WORDS: Readonly<Record<Refused["code"], string>> = {
  malformed: "A message could not be read",
  hash: "A record's content is not the one that was signed",
  unknown: "A message under the name of no workstation",
  quarantined: "A quarantined workstation still sends",
  revoked: "A revoked workstation still sends",
  trail: "A trail that begins wrong or is another's",
  checkpoint: "A batch that the workstation's key did not sign",
  fork: "A trail contradicts what was committed",
  closed: "A message of a trail that was closed",
  clone: "Two machines use one workstation's key",
  topic: "A message on a topic that is not its sender's",
  store: "A message that the database refused",
};

export const CODE_WORDS: Readonly<Record<string, string>> = WORDS;

/** A code of a newer worker is shown as it stands. */
export const codeWords = (code: string): string => CODE_WORDS[code] ?? code;

const WHAT = { batch: "batch", presence: "presence", reported: "report" } as const;
export type What = (typeof WHAT)[keyof typeof WHAT] | "message";

/** By the topic on which it came: nothing else of it is believed. */
export function whatCame(topic: string): What {
  const read = readTopic(topic);
  const channel = read.ok ? read.value.channel : undefined;
  return channel === "batch" || channel === "presence" || channel === "reported" ? WHAT[channel] : "message";
}

/** The page with what an alert counts. Its key names the sender and the code; of others there is nothing to show. */
export function quarantineOf(alertKey: string): string | null {
  const [, sender, code] = /^refused\/([^/]+)\/([a-z]+)\//.exec(alertKey) ?? [];
  if (sender === undefined || code === undefined) return null;
  const search = new URLSearchParams({ ...(sender !== "unknown" && { workstation: sender }), code });
  return `/quarantine?${search}`;
}
