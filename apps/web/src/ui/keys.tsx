"use client";
/** The keyboard: one listener, the same letters on every page. */
import { useRouter } from "next/navigation";
import { useEffect, useEffectEvent, useState } from "react";
import { Dialog } from "./dialog.tsx";
import { Key } from "./header.tsx";

/** After `g`, this long for the second letter. */
const CHORD_MS = 1200;

/** What tells of the open row: Enter goes on into it. It is focused whole, so that Tab leads through what is in it. */
export const DETAILS = "[data-details]";

export type Place = { letter: string; href: string; word: string };

const typing = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement &&
  (target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName));

export const inDialog = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && target.closest('[role="dialog"]') !== null;

/** Calls `act` for plain keys outside of fields and dialogs. */
export function useKeys(act: (key: string, event: KeyboardEvent) => void): void {
  const onKey = useEffectEvent((event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (typing(event.target) || inDialog(event.target)) return;
    act(event.key, event);
  });
  useEffect(() => {
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, []);
}

export function Keys({ places }: { places: Place[] }) {
  const router = useRouter();
  const [help, setHelp] = useState(false);
  const [chord, setChord] = useState(0);
  useKeys((key, event) => {
    if (key === "?") setHelp(true);
    else if (key === "g") setChord(Date.now());
    else if (key === "/") {
      event.preventDefault();
      document.querySelector<HTMLElement>("[data-search]")?.focus();
    } else if (Date.now() - chord < CHORD_MS) {
      const place = places.find(({ letter }) => letter === key);
      setChord(0);
      if (place) router.push(place.href);
    }
  });
  const rows: [string[], string][] = [
    [["j", "k"], "next and previous row"],
    [["Enter"], "open the row; once it is open, go on into its details"],
    [["Esc"], "close the details"],
    [["←", "→"], "over Explore’s bars; Shift adds, Enter narrows"],
    [["/"], "search"],
    ...places.map(({ letter, word }): [string[], string] => [["g", letter], `go to ${word}`]),
  ];
  return (
    <Dialog open={help} onClose={() => setHelp(false)} title="Keys">
      <dl className="grid grid-cols-[110px_1fr] gap-y-1.5">
        {rows.map(([keys, word]) => (
          <div key={word} className="contents">
            <dt className="flex items-start gap-1">
              {keys.map((key) => (
                <Key key={key}>{key}</Key>
              ))}
            </dt>
            <dd>{word}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
