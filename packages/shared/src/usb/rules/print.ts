/** Rule → its canonical form, as `usbguard-rule-parser` prints it: attributes in its order, sets only where they say
 *  more than one value does, bytes escaped. It is for comparing and showing; what is kept is the text. */
import { ATTRIBUTES, type Condition, type Rule, type ValueSet } from "./rule.ts";

export function printRule(rule: Rule): string {
  const parts: string[] = [rule.target];
  for (const name of ATTRIBUTES) {
    if (name === "with-connect-type" && rule.conditions) parts.push(`if ${set(rule.conditions, printCondition)}`);
    const values = rule.attributes[name];
    if (values)
      parts.push(`${name} ${set(values, name === "id" || name === "with-interface" ? (value) => value : quote)}`);
  }
  return parts.join(" ");
}

function set<T>({ operator, values }: ValueSet<T>, print: (value: T) => string): string {
  const printed = values.map(print).join(" ");
  if (operator !== "equals") return `${operator} { ${printed} }`;
  return values.length > 1 ? `{ ${printed} }` : printed;
}

function quote(bytes: string): string {
  let text = "";
  for (const byte of bytes) {
    const code = byte.charCodeAt(0);
    if (byte === '"' || byte === "\\") text += `\\${byte}`;
    else if (code < 0x20 || code > 0x7e) text += `\\x${code.toString(16).padStart(2, "0")}`;
    else text += byte;
  }
  return `"${text}"`;
}

/** USBGuard prints `rule-evaluated` as `rule-applied` and drops what stands in brackets after `true`; so do we, as the
 *  form's whole use is to be the same. */
function printCondition(condition: Condition): string {
  const name = condition.name === "rule-evaluated" ? "rule-applied" : condition.name;
  const bare = condition.argument === null || name === "true" || name === "false";
  return `${condition.negated ? "!" : ""}${name}${bare ? "" : `(${condition.argument})`}`;
}
