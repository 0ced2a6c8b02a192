/** What the listener says: a value, or a refusal in a plain sentence. */
import type { ListenerError } from "@sallyport/shared/workstation/enrolment.ts";

export type Answer = {
  status: number;
  type: "application/json" | "application/x-pem-file" | "text/plain";
  text: string;
};

export const json = (value: unknown): Answer => ({
  status: 200,
  type: "application/json",
  text: JSON.stringify(value),
});

/** Whether it changed anything: what a refusal began is undone. */
export const isDone = ({ status }: Answer): boolean => status === 200;

export function refuse(status: number, code: string, error: string): Answer {
  return { status, type: "application/json", text: JSON.stringify({ error, code } satisfies ListenerError) };
}
