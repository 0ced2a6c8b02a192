/** What the broker refused of a workstation → a refused message of that workstation. Pure. */
import { fromUtf8 } from "@sallyport/shared/base/bytes.ts";
import type { WorkstationId } from "@sallyport/shared/base/ids.ts";
import { readJson } from "@sallyport/shared/base/json.ts";
import { REFUSAL_CHARS_MAX, Refusal } from "@sallyport/shared/wire/refusal.ts";
import { readTopic } from "@sallyport/shared/wire/topics.ts";
import type { Refused } from "./judge.ts";

export function readRefusal(sender: WorkstationId, topic: string, untrusted: Uint8Array): Refused {
  const refusal = decode(untrusted);
  if (!refusal) {
    const reason = "what the broker says it refused cannot be read";
    return { code: "malformed", workstation: sender, topic, reason, bytes: untrusted };
  }
  const { topic: to, count, size, bytes } = refusal;
  const more = count > 1 ? `, ${count} times within a short time` : "";
  return {
    code: "topic",
    workstation: sender,
    topic: to,
    reason: `${attempt(sender, to)}; the broker refused it (${size} bytes${more})`,
    bytes: Buffer.from(bytes, "base64"),
  };
}

function attempt(sender: WorkstationId, to: string): string {
  const read = readTopic(to);
  if (read.ok && read.value.workstation !== sender)
    return `workstation ${sender} tried to publish as ${read.value.workstation}`;
  return `workstation ${sender} tried to publish where it may not`;
}

function decode(untrusted: Uint8Array): Refusal | undefined {
  try {
    const json = readJson(fromUtf8(untrusted), REFUSAL_CHARS_MAX);
    return json.ok ? Refusal.safeParse(json.value).data : undefined;
  } catch {
    return undefined; // not UTF-8
  }
}
