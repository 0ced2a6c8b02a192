import { cookies, headers } from "next/headers";
import { redirect } from "next/navigation";
import type { ReactNode } from "react";
import { Shell } from "../../overview/view/shell.tsx";
import { hasOwner } from "../../person/setup.ts";
import { ApiProvider } from "../../trpc/client.tsx";
import { actorOf } from "../../trpc/context.ts";
import { Nonce } from "../../ui/nonce.tsx";
import { THEME_COOKIE, THEMES } from "../../ui/themes.ts";
import { Toasts } from "../../ui/toast.tsx";
import { wiring } from "../../wiring.ts";

/** Pages behind the door: who is not signed in is sent there. Each procedure checks again. */
export default async function ConsoleLayout({ children }: { children: ReactNode }) {
  const made = wiring();
  const asked = await headers();
  const actor = await actorOf(made, asked);
  if (!actor) redirect((await hasOwner(made.pool)) ? "/sign-in" : "/setup");
  const kept = (await cookies()).get(THEME_COOKIE)?.value;
  return (
    <ApiProvider>
      <Nonce nonce={asked.get("x-nonce") ?? ""} />
      <Toasts>
        <Shell actor={actor} theme={THEMES.find((each) => each === kept) ?? "system"}>
          {children}
        </Shell>
      </Toasts>
    </ApiProvider>
  );
}
