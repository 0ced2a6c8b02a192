/** What a noun is handed that does at last what it asked for. */
import type { SignedStatement } from "@sallyport/shared/policy/statement.ts";

/** `act` is what the asker left, as JSON; the statements bear the signatures of as many as must. */
export type Carrying = { act: unknown; statements: readonly SignedStatement[]; now: Date };
