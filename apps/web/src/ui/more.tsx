"use client";
import type { ReactNode } from "react";
import { Button } from "./button.tsx";

/** A list that comes page by page. */
export type Pages = { hasNextPage: boolean; isFetchingNextPage: boolean; fetchNextPage: () => Promise<unknown> };

/** Asks for the next page where there is one, and once. */
export const more = (pages: Pages) => () => {
  if (pages.hasNextPage && !pages.isFetchingNextPage) void pages.fetchNextPage();
};

/** Under a list that stands among other things: it has no end that one could scroll to. */
export function More({ pages, children }: { pages: Pages; children: ReactNode }) {
  if (!pages.hasNextPage) return null;
  return (
    <Button className="mt-2 justify-self-start" disabled={pages.isFetchingNextPage} onClick={more(pages)}>
      {children}
    </Button>
  );
}
