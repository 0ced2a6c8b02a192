/** Browser → sessions. better-auth does passwords (scrypt), sessions, TOTP and recovery codes; this says how, and makes a
 *  record of each sign-in, refusal and change of a factor. */
import { betterAuth } from "better-auth";
import { APIError, createAuthMiddleware, getSessionFromCtx } from "better-auth/api";
import { twoFactor } from "better-auth/plugins/two-factor";
import type { Pool } from "pg";
import { type Act, type RecordConsole, withRecord } from "./act.ts";
import { originOf } from "./actor.ts";
import { countAttempt, forgetAttempt } from "./attempt.ts";
import { PASSWORD_CHARS_MIN } from "./password.ts";
import { ROLES } from "./role.ts";

const SESSION_SECONDS = 12 * 3600;
/** A change of password or factor asks again for the password after this. */
const FRESH_SECONDS = 15 * 60;

/** What the browser may ask of better-auth; everything else of it answers 404. */
export const AUTH_PATHS: ReadonlySet<string> = new Set([
  "/sign-in/email",
  "/sign-out",
  "/get-session",
  "/change-password",
  "/two-factor/enable",
  "/two-factor/disable",
  "/two-factor/verify-totp",
  "/two-factor/verify-backup-code",
  "/two-factor/generate-backup-codes",
]);

export type AuthParts = { pool: Pool; secret: string; url: string | undefined; recordConsole: RecordConsole };

const SIGNED_OUT: Act = { kind: "person.signed-out", text: "signed out" };

export function makeAuth({ pool, secret, url, recordConsole }: AuthParts) {
  const tell = (headers: Headers | undefined, by: { id: string; email: string; session?: string }, act: Act) =>
    withRecord(pool, recordConsole, by, originOf(headers), async () => ({ act, value: undefined }));
  return betterAuth({
    appName: "Sallyport",
    database: pool,
    secret,
    ...(url !== undefined && { baseURL: url }),
    basePath: "/api/auth",
    trustedOrigins: (request) => (url === undefined && request ? [ownOrigin(request)] : []),
    emailAndPassword: {
      enabled: true,
      disableSignUp: true,
      minPasswordLength: PASSWORD_CHARS_MIN,
      maxPasswordLength: 256,
    },
    user: {
      modelName: "person",
      fields: {
        emailVerified: "email_verified",
        createdAt: "created_at",
        updatedAt: "updated_at",
      },
      additionalFields: {
        role: { type: [...ROLES], required: true, input: false },
        disabledAt: { type: "date", required: false, input: false, fieldName: "disabled_at" },
      },
    },
    session: {
      modelName: "person_session",
      expiresIn: SESSION_SECONDS,
      updateAge: 3600,
      freshAge: FRESH_SECONDS,
      fields: {
        userId: "person_id",
        expiresAt: "expires_at",
        ipAddress: "ip_address",
        userAgent: "user_agent",
        createdAt: "created_at",
        updatedAt: "updated_at",
      },
    },
    account: {
      modelName: "person_account",
      fields: {
        userId: "person_id",
        accountId: "account_id",
        providerId: "provider_id",
        accessToken: "access_token",
        refreshToken: "refresh_token",
        idToken: "id_token",
        accessTokenExpiresAt: "access_token_expires_at",
        refreshTokenExpiresAt: "refresh_token_expires_at",
        createdAt: "created_at",
        updatedAt: "updated_at",
      },
    },
    verification: {
      modelName: "person_verification",
      fields: { expiresAt: "expires_at", createdAt: "created_at", updatedAt: "updated_at" },
    },
    rateLimit: {
      enabled: true,
      storage: "database",
      modelName: "person_rate_limit",
      fields: { lastRequest: "last_request" },
      window: 10,
      max: 100,
      customRules: {
        "/sign-in/email": { window: 60, max: 15 },
        "/two-factor/verify-totp": { window: 60, max: 10 },
        "/two-factor/verify-backup-code": { window: 60, max: 5 },
      },
    },
    plugins: [
      twoFactor({
        issuer: "Sallyport",
        twoFactorTable: "person_two_factor",
        schema: {
          user: { fields: { twoFactorEnabled: "two_factor_enabled" } },
          twoFactor: {
            fields: {
              backupCodes: "backup_codes",
              userId: "person_id",
              failedVerificationCount: "failed_verification_count",
              lockedUntil: "locked_until",
            },
          },
        },
      }),
    ],
    advanced: {
      cookiePrefix: "sallyport",
      useSecureCookies: url?.startsWith("https:") ?? false,
      defaultCookieAttributes: { httpOnly: true, sameSite: "strict", path: "/" },
    },
    databaseHooks: {
      session: {
        create: {
          before: async (session) => {
            const { rows } = await pool.query("SELECT 1 FROM person WHERE id = $1 AND disabled_at IS NULL", [
              session.userId,
            ]);
            if (rows.length === 0)
              throw new APIError("FORBIDDEN", {
                message: "This account is switched off. Ask an admin of this console.",
              });
          },
        },
      },
    },
    hooks: {
      before: createAuthMiddleware(async (ctx) => {
        // afterwards nobody could say whose session it was
        const leaving = ctx.path === "/sign-out" ? await getSessionFromCtx(ctx) : null;
        if (leaving)
          await tell(
            ctx.headers,
            { id: leaving.user.id, email: leaving.user.email, session: leaving.session.id },
            SIGNED_OUT,
          );
        if (ctx.path !== "/sign-in/email" || typeof ctx.body?.email !== "string") return;
        const left = await countAttempt(pool, ctx.body.email, originOf(ctx.headers).address ?? "");
        if (!left)
          throw new APIError("TOO_MANY_REQUESTS", {
            message: "Too many attempts for this address. Wait a quarter of an hour, or ask an admin.",
          });
      }),
      after: createAuthMiddleware(async (ctx) => {
        const wasRight = ctx.path === "/sign-in/email" && !(ctx.context.returned instanceof Error);
        if (wasRight && typeof ctx.body?.email === "string")
          await forgetAttempt(pool, ctx.body.email, originOf(ctx.headers).address ?? "");
        const found = actOf(ctx.path, ctx.context);
        if (!found) return;
        const email = found.email ?? (typeof ctx.body?.email === "string" ? ctx.body.email.slice(0, 320) : "somebody");
        const by = { id: found.id ?? "unknown", email, ...(found.session !== undefined && { session: found.session }) };
        await tell(ctx.headers, by, found.act);
      }),
    },
    telemetry: { enabled: false },
    logger: { disabled: true },
  });
}

export type Auth = ReturnType<typeof makeAuth>;

type After = {
  returned?: unknown;
  newSession: { session: { id: string }; user: { id: string; email: string } } | null;
  session: { session: { id: string }; user: { id: string; email: string } } | null;
};
type Found = { act: Act; id?: string; email?: string; session?: string };

const WORDS: Record<string, { kind: Act["kind"]; text: string }> = {
  "/change-password": { kind: "person.password-changed", text: "changed their password" },
  "/two-factor/enable": { kind: "person.two-factor-begun", text: "began to set up a second factor" },
  "/two-factor/disable": { kind: "person.two-factor-removed", text: "removed their second factor" },
  "/two-factor/generate-backup-codes": { kind: "person.recovery-codes-made", text: "made new recovery codes" },
};

/** Which act a finished request was, if it was one worth a record. */
function actOf(path: string, after: After): Found | undefined {
  const refused = after.returned instanceof Error;
  const who = after.newSession ?? after.session;
  const by = who ? { id: who.user.id, email: who.user.email, session: who.session.id } : {};
  const signsIn = path === "/sign-in/email" || path.startsWith("/two-factor/verify-");
  if (signsIn && refused) {
    const what = path === "/sign-in/email" ? "a password" : "a second factor";
    return {
      ...by,
      act: { kind: "person.sign-in-refused", severity: "warning", text: `was refused: ${what} was wrong` },
    };
  }
  if (refused) return undefined;
  if (path === "/two-factor/verify-totp" && after.session)
    return { ...by, act: { kind: "person.two-factor-added", text: "added a second factor" } };
  if (signsIn)
    return after.newSession
      ? { ...by, act: { kind: "person.signed-in", severity: "info", text: "signed in" } }
      : undefined;
  const words = WORDS[path];
  return words && who ? { ...by, act: words } : undefined;
}

function ownOrigin(request: Request): string {
  const host = request.headers.get("host") ?? "";
  return `${new URL(request.url).protocol}//${host}`;
}
