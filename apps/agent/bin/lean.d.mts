export const LEAN: string[];
export const LEAN_ENV: Readonly<Record<string, string>>;
