/** A person's text → the usb section. Apart from the schema, so that pages need no YAML reader. */
import { pathText } from "../base/issue.ts";
import { fail, ok, type Result } from "../base/result.ts";
import { POLICY_CHARS_MAX } from "./depth.ts";
import { faultsOf } from "./document.ts";
import { UsbSection } from "./usb.ts";
import { readYaml } from "./yaml.ts";

/** A whole policy document's `usb` section, or the section alone, as JSON or YAML. The error is a fault a line, each with
 *  its path, as `usb.scanSeconds: …`. */
export function readUsbPolicy(text: string): Result<UsbSection> {
  const read = readYaml(text, POLICY_CHARS_MAX);
  if (!read.ok) return read;
  const { value } = read;
  const whole =
    typeof value === "object" && value !== null && !Array.isArray(value) && ("usb" in value || "version" in value);
  const section = UsbSection.safeParse((whole ? (value as { usb?: unknown }).usb : value) ?? {});
  if (section.success) return ok(section.data);
  const faults = section.error.issues.flatMap(faultsOf);
  return fail(faults.map(({ path, message }) => `${pathText(["usb", ...path])}: ${message}`).join("\n"));
}
