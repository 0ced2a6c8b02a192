/** What a person does at the door, and the arithmetic of their authenticator. */
import { createHmac } from "node:crypto";
import type { Page } from "playwright-core";

export const PASSWORD = "correct horse battery staple";
const TOTP_STEP_MS = 30_000;

export async function makeOwner(page: Page, setupUrl: string, email = "ada@example.org"): Promise<void> {
  await page.goto(setupUrl);
  await page.getByLabel("Name").fill("Ada Rivest");
  await page.getByLabel("E-mail").fill(email);
  await join(page, "Make the first owner");
}

export async function join(page: Page, button: string): Promise<void> {
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await page.getByLabel("Password again").fill(PASSWORD);
  await page.getByRole("button", { name: button }).click();
  await page.waitForURL("**/account?welcome=1");
}

export async function signIn(page: Page, email: string, password = PASSWORD): Promise<void> {
  await page.goto("/sign-in");
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

export async function signOut(page: Page): Promise<void> {
  await page.goto("/");
  await page.getByRole("navigation").getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL("**/sign-in");
}

/** RFC 6238 with SHA-1, six digits, thirty seconds, as authenticators have it. */
export function totp(secretBase32: string, now = Date.now()): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...secretBase32.replaceAll("=", "")]
    .map((char) => alphabet.indexOf(char).toString(2).padStart(5, "0"))
    .join("");
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(now / TOTP_STEP_MS)));
  const mac = createHmac("sha1", key).update(counter).digest();
  const at = mac[19]! & 15;
  return String((mac.readUInt32BE(at) & 0x7fff_ffff) % 1_000_000).padStart(6, "0");
}
