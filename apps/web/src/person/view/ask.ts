/** Pages → better-auth, with its refusals as sentences. */
export type Answer = { ok: true; value: Record<string, unknown> } | { ok: false; message: string };

const WORDS: Record<string, string> = {
  INVALID_EMAIL_OR_PASSWORD: "This address and password do not belong together.",
  INVALID_PASSWORD: "That is not your password.",
  INVALID_CODE: "That code is not right, or it has run out. Take the one that is shown now.",
  INVALID_BACKUP_CODE: "That is not one of your unused recovery codes.",
  INVALID_TWO_FACTOR_COOKIE: "Signing in took too long. Begin again with your password.",
  SESSION_NOT_FRESH: "Sign out and in again first: this needs a fresh sign-in.",
};

export async function askAuth(path: string, body: object = {}): Promise<Answer> {
  try {
    const response = await fetch(`/api/auth${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    const value: Record<string, unknown> = (await response.json().catch(() => null)) ?? {};
    if (response.ok) return { ok: true, value };
    if (response.status === 429 && !value.message)
      return { ok: false, message: "Too many attempts. Wait a minute and try again." };
    const code = typeof value.code === "string" ? value.code : "";
    return {
      ok: false,
      message: WORDS[code] ?? (typeof value.message === "string" ? value.message : response.statusText),
    };
  } catch {
    return { ok: false, message: "The console does not answer. Is it running, and are you on its network?" };
  }
}
