/** Statements that are each for one workstation, with that. */
import type { WorkstationId } from "@sallyport/shared/base/ids.ts";
import { type SignedStatement, Statement } from "@sallyport/shared/policy/statement.ts";

export const addressed = (
  statements: readonly SignedStatement[],
): { workstation: WorkstationId; statement: SignedStatement }[] =>
  statements.map((statement) => {
    const { audience } = Statement.parse(JSON.parse(statement.text));
    if (!("workstation" in audience)) throw new Error("a statement that is for no workstation by name");
    return { workstation: audience.workstation, statement };
  });
