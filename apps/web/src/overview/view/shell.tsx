"use client";
import { count, plural } from "@sallyport/shared/base/count.ts";
/** The frame around every page: places on the left, the page on the right, keys everywhere. */
import { useQuery } from "@tanstack/react-query";
import Link from "next/link";
import { createContext, type ReactNode, useContext } from "react";
import type { Actor } from "../../person/actor.ts";
import { type Act, may } from "../../person/role.ts";
import { SignOut } from "../../person/view/sign-out.tsx";
import { useApi } from "../../trpc/client.tsx";
import { Key } from "../../ui/header.tsx";
import { Keys } from "../../ui/keys.tsx";
import { Nav } from "../../ui/nav.tsx";
import { ThemeToggle } from "../../ui/theme.tsx";
import type { Theme } from "../../ui/themes.ts";
import { zone } from "../../ui/time.tsx";

const COUNTS_EVERY_MS = 10_000;

const PLACES: { href: string; word: string; letter: string; act: Act }[] = [
  { href: "/", word: "Overview", letter: "o", act: "entries" },
  { href: "/alerts", word: "Alerts", letter: "a", act: "content" },
  { href: "/quarantine", word: "Quarantine", letter: "q", act: "content" },
  { href: "/usb", word: "USB", letter: "u", act: "content" },
  { href: "/deny", word: "Blocked", letter: "b", act: "entries" },
  { href: "/explore", word: "Explore", letter: "e", act: "entries" },
  { href: "/workstations", word: "Workstations", letter: "w", act: "entries" },
  { href: "/policy", word: "Policy", letter: "p", act: "entries" },
  { href: "/rollouts", word: "Rollouts", letter: "r", act: "entries" },
  { href: "/artifacts", word: "Artifacts", letter: "t", act: "entries" },
  { href: "/approvals", word: "Approvals", letter: "s", act: "entries" },
  { href: "/enrol", word: "Enrol", letter: "n", act: "enrol" },
  { href: "/destinations", word: "Destinations", letter: "d", act: "destinations" },
  { href: "/people", word: "People", letter: "m", act: "people" },
];

const ActorContext = createContext<Actor | null>(null);

export function useActor(): Actor {
  const actor = useContext(ActorContext);
  if (!actor) throw new Error("useActor outside of the shell");
  return actor;
}

export const useMay = (act: Act): boolean => may(useActor().role, act);

/** What is known of them; that a trail is whole is proved on a record's Proof, or by `sallyport verify`. */
function Trails({ trails, forked, lossy }: { trails: number; forked: number; lossy: number }) {
  return (
    <span title="Known to this console. That a trail is whole is proved on a record’s Proof, or by sallyport verify.">
      {plural(trails, "trail")}
      {forked > 0 && <b className="text-block"> · {count(forked)} forked</b>}
      {lossy > 0 && <b className="text-hold"> · {count(lossy)} with losses</b>}
      {forked === 0 && lossy === 0 && trails > 0 && ", no fork or loss known"}
    </span>
  );
}

export function Shell({ actor, theme, children }: { actor: Actor; theme: Theme; children: ReactNode }) {
  const api = useApi();
  const counts = useQuery({ ...api.overview.counts.queryOptions(), refetchInterval: COUNTS_EVERY_MS }).data;
  const waiting = useQuery({ ...api.approval.count.queryOptions(), refetchInterval: COUNTS_EVERY_MS }).data;
  const places = PLACES.filter(({ act }) => may(actor.role, act));
  const counted: Record<string, ReactNode> = {
    "/alerts": counts && counts.alerts > 0 && <b className="text-block">{count(counts.alerts)}</b>,
    "/usb": counts && counts.held > 0 && <b className="text-hold">{count(counts.held)} held</b>,
    "/deny": counts && counts.denied > 0 && <b className="text-block">{count(counts.denied)}</b>,
    "/approvals": waiting !== undefined && waiting > 0 && <b className="text-hold">{count(waiting)} waiting</b>,
    "/workstations": counts && count(counts.workstations),
  };
  return (
    <ActorContext value={actor}>
      <div className="flex min-h-screen">
        <Nav items={places.map(({ href, word }) => ({ href, word, count: counted[href] }))}>
          {counts && (
            <>
              <Trails {...counts} />
              <br />
            </>
          )}
          <Link href="/account" className="hover:text-ink" title={actor.email}>
            {actor.name}
          </Link>
          {" · "}
          {actor.role}
          <br />
          <span className="font-mono" suppressHydrationWarning>
            {zone()}
          </span>
          {" · "}
          <ThemeToggle initial={theme} />
          {" · "}
          <Key>?</Key> keys
          <br />
          <SignOut />
        </Nav>
        <main className="flex h-screen min-w-0 flex-1 flex-col overflow-auto">{children}</main>
      </div>
      <Keys places={places} />
    </ActorContext>
  );
}
