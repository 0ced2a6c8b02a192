/** The console's API, by an API token: one question, one answer in JSON. */
import { Fault } from "./fault.ts";

export type Reach = { url: string; token: string };

/** The console does not answer; it may again. */
export class Away extends Fault {}

/** `path` begins at the console's root. With a body it is a POST.
 *  @throws Away where nothing answers or the console fails, Fault (exit code 3) where it understood and says no */
export async function askConsole({ url, token }: Reach, path: string, body?: object): Promise<unknown> {
  if (!URL.canParse(path, url))
    throw new Fault(`--url ${url} is no address; it looks like http://console.example:3000.`);
  const address = new URL(path, url);
  let response: Response;
  let text: string;
  try {
    response = await fetch(address, {
      method: body ? "POST" : "GET",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      redirect: "error",
      ...(body && { body: JSON.stringify(body) }),
    });
    text = await response.text();
  } catch (error) {
    const { cause } = error as { cause?: Error };
    const why = cause?.message ?? (error as Error).message;
    throw new Away(`The console at ${address.origin} does not answer: ${why}`, 1, { cause: error });
  }
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    answer = { error: text.slice(0, 200) }; // not our answer, then: shown as it is
  }
  if (response.ok) return answer;
  const reason = (answer as { error?: string } | null)?.error ?? "no reason given";
  const Failed = response.status >= 500 ? Away : Fault;
  throw new Failed(`The console refused (${response.status}): ${reason}`, isNo(response.status) ? 3 : 1);
}

/** It understood and says no, which a pipeline may tell from a fault of its own. */
const isNo = (status: number): boolean => status === 400 || status === 409 || status === 412;
