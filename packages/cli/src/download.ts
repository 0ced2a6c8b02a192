/** The console → an export on disk, as a folder or (a name that ends in .tar) one pack. */
import {
  accessSync,
  constants,
  createWriteStream,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { dirname, resolve } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { escapeForDisplay } from "@sallyport/shared/base/escape.ts";
import { whyNot } from "@sallyport/shared/base/why.ts";
import { Fault } from "./fault.ts";
import { openExport, unpack } from "./pack.ts";
import { addressOf, fetchConsole } from "./reach.ts";

export type Wanted = { url: string; token: string; workstation: string; trail?: string; out: string };
export type Got = { out: string; trail: string; olderTrails: string[] };

/** Nothing is left at `out` unless it is complete. */
export async function download({ url, token, workstation, trail, out }: Wanted): Promise<Got> {
  if (existsSync(out) && readdirOf(out).length > 0) throw new Fault(`${out} is there already: give a new name.`);
  if (out === "") throw new Fault("--out is empty: name a new folder, or a file that ends in .tar.");
  refuseUnwritable(out);
  const address = addressOf(url, `/api/export/${encodeURIComponent(workstation.toWellFormed())}`);
  if (trail) address.searchParams.set("trail", trail);
  const response = await ask(address, token);
  const body = Readable.fromWeb(response.body as Parameters<typeof Readable.fromWeb>[0]);
  const partial = `${out}.partial`;
  rmSync(partial, { recursive: true, force: true });
  try {
    if (out.endsWith(".tar")) {
      await pipeline(body, createWriteStream(partial, { mode: 0o600 }));
      await (await openExport(partial)).close(); // walks to the end, or says that it broke off
    } else {
      mkdirSync(partial, { recursive: true, mode: 0o700 });
      await unpack(body, partial);
    }
    rmSync(out, { recursive: true, force: true }); // an empty folder at most
    renameSync(partial, out);
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    throw error instanceof Fault
      ? error
      : new Fault(`The export to ${out} broke off: ${whyNot(error)}.`, 1, { cause: error });
  }
  const header = (name: string) => response.headers.get(name) ?? "";
  const olderTrails = header("x-sallyport-older-trails").split(",").filter(Boolean);
  return { out, trail: header("x-sallyport-trail"), olderTrails };
}

async function ask(address: URL, token: string): Promise<Response> {
  const response = await fetchConsole(address, token);
  if (response.ok && response.body) return response;
  const text = await response.text();
  let reason = text.slice(0, 200);
  try {
    const said = (JSON.parse(text) as { error?: unknown }).error;
    if (typeof said === "string") reason = said;
  } catch {} // not our answer, then: shown as it is
  throw new Fault(`The console refused (${response.status}): ${escapeForDisplay(reason)}`);
}

/** Before anything is asked of the console: the nearest folder that is there must take new files. */
function refuseUnwritable(out: string): void {
  let folder = dirname(resolve(out));
  while (!existsSync(folder) && folder !== dirname(folder)) folder = dirname(folder);
  try {
    if (!statSync(folder).isDirectory()) throw Object.assign(new Error(), { code: "ENOTDIR" });
    accessSync(folder, constants.W_OK);
  } catch (error) {
    throw new Fault(`${out} cannot be written: in ${folder}, ${whyNot(error)}. Give --out another place.`, 1, {
      cause: error,
    });
  }
}

const readdirOf = (path: string): string[] => {
  try {
    return readdirSync(path);
  } catch {
    return [path];
  }
};
