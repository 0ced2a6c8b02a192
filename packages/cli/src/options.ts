/** Options that many commands have, and how an answer is said. */
import { escapeForDisplay } from "@sallyport/shared/base/escape.ts";
import { Option } from "commander";

export const url = (): Option =>
  new Option("--url <url>", "the console").env("SALLYPORT_URL").default("http://localhost:3000");
export const json = (): Option => new Option("--json", "print JSON");

/** With --json the value; else its words, in which nothing acts on the terminal. */
export const teller =
  (say: (text: string) => void) =>
  (options: { json?: boolean }, value: unknown, text: string): void =>
    say(options.json ? JSON.stringify(value, null, 2) : text.split("\n").map(escapeForDisplay).join("\n"));
