/** A console on this machine as `npm run up` starts it, and what a person does with it: by its API, in a session of theirs. */
import { createTRPCClient, httpLink } from "@trpc/client";
import type { AppRouter } from "../../../apps/web/src/trpc/router.ts";
import { type Stack, startStack } from "../../../packages/up/src/start.ts";

const PORTS = { web: 0, mqtt: 0, syslog: 0, listen: 0, postgres: 0 };
export const OWNER = { name: "Ada Rivest", email: "ada@example.org", password: "correct horse battery staple" };

export type Api = ReturnType<typeof createTRPCClient<AppRouter>>;
export type Watched = { stack: Stack; api: Api };

/** Postgres, broker, worker and console; no agent of this machine. Its first owner is signed in. */
export async function startConsole(stateFolder: string): Promise<Watched> {
  const stack = await startStack({ stateFolder, ports: PORTS, agent: false });
  const url = stack.consoleUrl;
  const ask = (cookie: string) =>
    createTRPCClient<AppRouter>({ links: [httpLink({ url: `${url}/api/trpc`, headers: { origin: url, cookie } })] });
  const code = new URL(stack.setupUrl ?? url).searchParams.get("code");
  if (code !== null) await ask("").person.join.mutate({ ...OWNER, code });
  return { stack, api: ask(await signIn(url)) };
}

async function signIn(url: string): Promise<string> {
  const answer = await fetch(`${url}/api/auth/sign-in/email`, {
    method: "POST",
    headers: { "content-type": "application/json", origin: url },
    body: JSON.stringify({ email: OWNER.email, password: OWNER.password }),
  });
  if (!answer.ok) throw new Error(`the owner cannot sign in: ${answer.status} ${await answer.text()}`);
  return answer.headers
    .getSetCookie()
    .map((each) => each.split(";")[0])
    .join("; ");
}
