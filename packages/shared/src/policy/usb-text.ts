/** A person's text → the usb section. Apart from the schema, so that pages need no YAML reader. */
import { parse } from "yaml";
import { z } from "zod";
import { fail, ok, type Result } from "../base/result.ts";
import { POLICY_CHARS_MAX, tooDeep } from "./depth.ts";
import { UsbSection } from "./usb.ts";

/** A whole policy document's `usb` section, or the section alone, as JSON or YAML. */
export function readUsbPolicy(text: string): Result<UsbSection> {
  if (text.length > POLICY_CHARS_MAX) return fail(`${text.length} characters; at most ${POLICY_CHARS_MAX}`);
  const deep = tooDeep(text);
  if (deep) return fail(`line ${deep.line}, column ${deep.column}: ${deep.message}`);
  let value: unknown;
  try {
    value = parse(text, { maxAliasCount: 0, logLevel: "error" });
  } catch (error) {
    return fail((error as Error).message);
  }
  const whole =
    typeof value === "object" && value !== null && !Array.isArray(value) && ("usb" in value || "version" in value);
  const section = UsbSection.safeParse((whole ? (value as { usb?: unknown }).usb : value) ?? {});
  return section.success ? ok(section.data) : fail(z.prettifyError(section.error));
}
