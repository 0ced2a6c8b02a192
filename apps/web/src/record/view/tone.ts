import type { Severity } from "@sallyport/shared/record/severity.ts";
import type { Tone } from "../../ui/mark.tsx";

export const severityTone = (severity: Severity): Tone =>
  severity === "critical" || severity === "error" ? "block" : severity === "warning" ? "hold" : "info";

export const verdictTone = (verdict: string): Tone =>
  verdict === "allow" || verdict === "block" || verdict === "hold" ? verdict : "info";

export const findingTone = (finding: string): Tone =>
  finding === "clean" ? "allow" : finding === "infected" ? "block" : "hold";
