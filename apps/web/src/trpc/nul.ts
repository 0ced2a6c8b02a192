/** U+0000, which Postgres keeps in no text: refused wherever it comes in, before anything is asked of the database. */

export const NUL_REFUSED =
  "What was sent holds the character U+0000, which cannot be stored. Take it out and try again.";

/** Anywhere in decoded JSON, names included. */
export function holdsNul(input: unknown): boolean {
  const left = [input];
  while (left.length > 0) {
    const value = left.pop();
    if (typeof value === "string") {
      if (value.includes("\u0000")) return true;
    } else if (typeof value === "object" && value !== null) {
      for (const [key, each] of Object.entries(value)) left.push(key, each);
    }
  }
  return false;
}

/** For what has no input decoder of ours behind it. Its body is read from a copy. */
export async function refuseNul(request: Request): Promise<Response | undefined> {
  const held = holdsNul([...new URL(request.url).searchParams]) || holdsNul(readBody(await request.clone().text()));
  return held ? Response.json({ message: NUL_REFUSED, code: "BAD_REQUEST" }, { status: 400 }) : undefined;
}

function readBody(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return [text, ...new URLSearchParams(text)]; // a form
  }
}
