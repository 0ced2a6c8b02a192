import type { Severity } from "@sallyport/shared/record/severity.ts";
import { Mark, Quiet } from "../../ui/mark.tsx";
import { severityTone } from "./tone.ts";

/** A severity in a row: a mark only from warning on. */
export function SeverityMark({ severity }: { severity: Severity }) {
  const tone = severityTone(severity);
  return tone === "info" ? <Quiet>{severity}</Quiet> : <Mark tone={tone}>{severity}</Mark>;
}
