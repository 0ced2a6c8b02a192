"use client";
import { useState } from "react";
import { THEME_COOKIE, THEMES, type Theme } from "./themes.ts";

const YEAR_SECONDS = 31_536_000;

export function ThemeToggle({ initial }: { initial: Theme }) {
  const [theme, setTheme] = useState(initial);
  const turn = () => {
    const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? "system";
    setTheme(next);
    if (next === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = next;
    // biome-ignore lint/suspicious/noDocumentCookie: the cookie store's own interface is not in every browser yet
    document.cookie = `${THEME_COOKIE}=${next}; path=/; max-age=${YEAR_SECONDS}; samesite=strict`;
  };
  return (
    <button type="button" onClick={turn} className="hover:text-ink" title="Dark, light, or as the system has it">
      {theme}
    </button>
  );
}
