"use client";
import { useEffect } from "react";

/** What a tab, a bookmark and the browser's history call this page, once it is known; the kind of page until then, and
 *  again when it is left. */
export function useTitle(title: string | undefined): void {
  useEffect(() => {
    if (!title) return;
    const before = document.title;
    const mine = `${title} · Sallyport`;
    document.title = mine;
    return () => {
      if (document.title === mine) document.title = before;
    };
  }, [title]);
}
