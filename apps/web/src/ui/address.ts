"use client";
/** What is empty is left out. */
export const searchOf = (asked: Record<string, string | undefined>): string =>
  new URLSearchParams(Object.entries(asked).filter((each): each is [string, string] => Boolean(each[1]))).toString();

/** The address says what a page shows. What a person chose deliberately can be left by Back; what changes by typing, or by
 *  moving through rows, cannot: it would take as many steps as there were keys. */
export function setAddress(search: string, how: "push" | "replace"): void {
  const address = search ? `?${search}` : window.location.pathname;
  if (search === window.location.search.replace(/^\?/, "")) return;
  if (how === "push") window.history.pushState(null, "", address);
  else window.history.replaceState(null, "", address);
}
