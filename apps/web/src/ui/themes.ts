/** Kept in a cookie so that the first paint is right already. */
export const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];
export const THEME_COOKIE = "sallyport-theme";
