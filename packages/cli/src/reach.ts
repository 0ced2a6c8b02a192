/** The console's API, by an API token: one question, one answer in JSON. */
import { escapeForDisplay } from "@sallyport/shared/base/escape.ts";
import { whyNot } from "@sallyport/shared/base/why.ts";
import { z } from "zod";
import { Fault } from "./fault.ts";

/** More rows than a console will ever have; one that goes on is at fault. */
const PAGES_MAX = 5_000;

export type Reach = { url: string; token: string };

/** The console does not answer; it may again. */
export class Away extends Fault {}

/** An API token as the environment has it. What is wrong with one is said without showing it.
 *  @throws Fault */
export function tokenFor(
  scopes: readonly string[],
  environment: Record<string, string | undefined> = process.env,
): string {
  const token = environment.SALLYPORT_TOKEN;
  if (!token) {
    const named = `scope${scopes.length > 1 ? "s" : ""} ${scopes.join(" and ")}`;
    throw new Fault(`Set SALLYPORT_TOKEN to an API token with the ${named} (the console's Account page makes one).`);
  }
  if (!/^[\x21-\x7e]+$/.test(token))
    throw new Fault("SALLYPORT_TOKEN is no API token: it holds a space, a line's end or a character beyond ASCII.");
  return token;
}

/** `path` begins at the console's root. @throws Fault where `url` is no address of a console */
export function addressOf(url: string, path: string): URL {
  const address = URL.canParse(path, url) ? new URL(path, url) : undefined;
  if (!address || !/^https?:$/.test(address.protocol))
    throw new Fault(`--url ${url} is no address; it looks like http://console.example:3000.`);
  return address;
}

/** Nothing is followed elsewhere: a token is for one console. @throws Away where nothing answers */
export async function fetchConsole(address: URL, token: string, init: RequestInit = {}): Promise<Response> {
  const type = typeof init.body === "string" ? "application/json" : "application/octet-stream";
  const headers = { authorization: `Bearer ${token}`, ...(init.body ? { "content-type": type } : {}) };
  try {
    return await fetch(address, { ...init, headers, redirect: "error" });
  } catch (error) {
    throw silent(address, error);
  }
}

export function silent(address: URL, error: unknown): Away {
  const why = whyNot((error as { cause?: Error }).cause ?? error).replace(/\.$/, "");
  return new Away(`The console at ${address.origin} does not answer: ${why}.`, 1, { cause: error });
}

/** With a body it is a POST.
 *  @throws Away where nothing answers or the console fails, Fault (exit code 3) where it understood and says no */
export const askConsole = (reach: Reach, path: string, body?: object): Promise<unknown> =>
  exchange(reach, path, body ? { method: "POST", body: JSON.stringify(body) } : {});

/** A list that comes page by page, whole: the header `Link` of each has where the next begins (RFC 8288). A console that
 *  knows no pages gives what it has. `rowsOf` a page's answer. @throws as askConsole */
export async function askPages<T = unknown>(
  reach: Reach,
  path: string,
  rowsOf: (answer: unknown) => T[] = (answer) => z.array(z.unknown()).parse(answer) as T[],
): Promise<T[]> {
  const rows: T[] = [];
  let after: string | undefined;
  for (let page = 0; page < PAGES_MAX; page++) {
    const of = after === undefined ? path : `${path}?after=${encodeURIComponent(after)}`;
    const { answer, headers } = await exchanged(reach, of, {});
    rows.push(...rowsOf(answer));
    after = afterOf(headers.get("link"));
    if (after === undefined) return rows;
  }
  throw new Fault(`The list at ${path} has no end: it goes on after ${PAGES_MAX} pages.`);
}

const NAMES_NEXT = /\brel\s*=\s*("[^"]*\bnext\b|next\b)/i;
const NEXT = /<([^>]*)>\s*;\s*rel\s*=\s*"?next"?(?=\s*(?:[;,]|$))/i;

/** Where the next page begins, which alone is taken of its address: a token is for one console. A proxy may have added
 *  links of its own. @throws Fault where a next page is named and cannot be read: the list would end too early */
export function afterOf(link: string | null): string | undefined {
  if (link === null || !NAMES_NEXT.test(link)) return undefined;
  const after = new URLSearchParams(NEXT.exec(link)?.[1]?.split("?")[1]).get("after");
  if (after === null)
    throw new Fault(`The list goes on, at a next page that cannot be read: ${escapeForDisplay(link.slice(0, 200))}`);
  return after;
}

/** As askConsole, with a method or a body of one's own: what is no text goes as it is. */
export const exchange = async (reach: Reach, path: string, init: RequestInit): Promise<unknown> =>
  (await exchanged(reach, path, init)).answer;

async function exchanged(
  { url, token }: Reach,
  path: string,
  init: RequestInit,
): Promise<{ answer: unknown; headers: Headers }> {
  const address = addressOf(url, path);
  const response = await fetchConsole(address, token, init);
  const text = await response.text().catch((error: unknown) => {
    throw silent(address, error);
  });
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    answer = { error: text.slice(0, 200) }; // not our answer, then: shown as it is
  }
  if (response.ok) return { answer, headers: response.headers };
  const said = (answer as { error?: string | { message?: unknown } } | null)?.error;
  const told = typeof said === "object" ? said?.message : said;
  const reason = typeof told === "string" ? told : "no reason given";
  const Failed = response.status >= 500 ? Away : Fault;
  throw new Failed(
    `The console refused (${response.status}): ${reason.split("\n").map(escapeForDisplay).join("\n")}`,
    isNo(response.status) ? 3 : 1,
  );
}

/** It understood and says no, which a pipeline may tell from a fault of its own. */
const isNo = (status: number): boolean => status === 400 || status === 409 || status === 412;
