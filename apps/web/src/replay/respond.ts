/** POST /api/replay → a replay as lines of JSON: how far it is, then what it found. A page asks by its session, a pipeline
 *  by an API token. It ends with whoever asked for it. */
import { POLICY_CHARS_MAX, readPolicy } from "@sallyport/shared/policy/document.ts";
import type { Policy } from "@sallyport/shared/policy/policy.ts";
import { readSince } from "@sallyport/shared/replay/since.ts";
import type { Pool } from "pg";
import { z } from "zod";
import type { Slots } from "../export/slots.ts";
import { openToken, refuseRole } from "../person/api-token.ts";
import type { Role } from "../person/role.ts";
import { Refusal } from "../trpc/errors.ts";
import { refuseForeign } from "../trpc/foreign.ts";
import { answered, readJson, refuse } from "../trpc/plain.ts";
import { runReplay } from "./run.ts";
import { findGroup, policyInForce, policyOf } from "./store.ts";

/** Whoever takes nothing for so long is gone. */
const UNREAD_MS_MAX = 60_000;
const AGAIN_SECONDS = 20;

export type ReplayParts = { pool: Pool; replaySlots: Slots; now?: () => number; pageRows?: number };

/** Either the candidate's text, or a revision of the group that is there already. */
const Asked = z.object({
  group: z.string().min(1).max(128),
  source: z.string().max(POLICY_CHARS_MAX).optional(),
  order: z.int().min(1).max(2_147_483_647).optional(),
  since: z.string().max(64),
});

export const respondReplay = answered(
  async (
    parts: ReplayParts,
    session: () => Promise<{ role: Role } | undefined>,
    request: Request,
  ): Promise<Response> => {
    const foreign = refuseForeign(request);
    if (foreign) return foreign;
    const who = await roleOf(parts.pool, session, request);
    if (who instanceof Response) return who;
    // what it shows came out of records' contents
    const refused = refuseRole(who.role, "content");
    if (refused) return refused;
    const free = parts.replaySlots.take();
    if (!free) return refuse(503, `Other replays are running. Try again in ${AGAIN_SECONDS} seconds.`, AGAIN_SECONDS);
    try {
      const asked = Asked.parse(await readJson(request));
      const begun = await begin(parts, asked);
      return new Response(streamed(parts, begun, request.signal, free), {
        headers: { "content-type": "application/x-ndjson", "cache-control": "no-store", "x-accel-buffering": "no" },
      });
    } catch (error) {
      free();
      throw error;
    }
  },
);

async function roleOf(
  pool: Pool,
  session: () => Promise<{ role: Role } | undefined>,
  request: Request,
): Promise<{ role: Role } | Response> {
  const header = request.headers.get("authorization");
  if (header === null) return (await session()) ?? refuse(401, "You are signed out. Sign in and try again.");
  const opened = await openToken(pool, header, "policy:read");
  return opened.ok ? opened.bearer : refuse(opened.status, opened.reason);
}

type Begun = {
  group: { id: string; name: string };
  order: number | null;
  before: Policy;
  after: Policy;
  sinceMs: number;
  nowMs: number;
};

async function begin({ pool, now = Date.now }: ReplayParts, asked: z.infer<typeof Asked>): Promise<Begun> {
  const nowMs = now();
  const since = readSince(asked.since, nowMs);
  if (!since.ok) throw new Refusal("BAD_REQUEST", since.error);
  const group = await findGroup(pool, asked.group);
  const { order, policy: before } = await policyInForce(pool, group.id);
  return { group, order, before, after: await candidateOf(pool, group.id, asked), sinceMs: since.value, nowMs };
}

async function candidateOf(pool: Pool, group: string, { source, order }: z.infer<typeof Asked>): Promise<Policy> {
  if ((source === undefined) === (order === undefined))
    throw new Refusal("BAD_REQUEST", "Give a policy's text, or the number of a revision: one of the two.");
  if (order !== undefined) return policyOf(pool, group, order);
  const read = readPolicy(source ?? "");
  if (read.ok) return read.policy;
  const faults = read.faults.map(({ path, line, message }) => `line ${line}${path && `, ${path}`}: ${message}`);
  throw new Refusal("BAD_REQUEST", `This is no policy.\n${faults.join("\n")}`);
}

function streamed(parts: ReplayParts, begun: Begun, asking: AbortSignal, free: () => void): ReadableStream<Uint8Array> {
  const stopping = new AbortController();
  const stop = () => stopping.abort();
  asking.addEventListener("abort", stop, { once: true });
  const { group, order, sinceMs, nowMs, before, after } = begun;
  const run = runReplay({ ...parts, group: group.id, before, after, sinceMs, nowMs, signal: stopping.signal });
  const bytes = (line: object): Uint8Array => new TextEncoder().encode(`${JSON.stringify(line)}\n`);
  let unread: NodeJS.Timeout | undefined;
  const end = () => {
    clearTimeout(unread);
    asking.removeEventListener("abort", stop);
    free();
  };
  const gone = async () => {
    stop();
    end();
    await run.return();
  };
  return new ReadableStream<Uint8Array>({
    start(controller) {
      const against = { group, order, since: new Date(sinceMs).toISOString(), at: new Date(nowMs).toISOString() };
      controller.enqueue(bytes({ against }));
    },
    async pull(controller) {
      clearTimeout(unread);
      try {
        const next = await run.next();
        if (next.done) {
          controller.close();
          end();
          return;
        }
        controller.enqueue(bytes(next.value));
        unread = setTimeout(() => void gone(), UNREAD_MS_MAX);
      } catch (error) {
        const known = error instanceof Refusal;
        if (!known) console.error(JSON.stringify({ event: "replay.failed", reason: (error as Error).message }));
        controller.enqueue(
          bytes({ error: known ? error.message : "The replay broke off; the console's log says why." }),
        );
        controller.close();
        end();
      }
    },
    cancel: gone,
  });
}
