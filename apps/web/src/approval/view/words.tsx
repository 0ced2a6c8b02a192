import type { ProposalKind } from "@sallyport/shared/approval/proposal.ts";
import { unreachable } from "@sallyport/shared/base/unreachable.ts";
import { Mark, Quiet } from "../../ui/mark.tsx";
import type { Row } from "../store.ts";

export const KIND_WORDS: Record<ProposalKind, string> = {
  policy: "policy",
  rollout: "rollout",
  signers: "approvers",
  move: "move",
  exception: "exception",
  command: "command",
  keys: "console’s keys",
};

export function StateMark({ row }: { row: Pick<Row, "state" | "missing" | "needed"> }) {
  switch (row.state) {
    case "waiting":
      return (
        <Mark tone="hold">
          {row.missing} of {row.needed} missing
        </Mark>
      );
    case "done":
      return <Mark tone="allow">done</Mark>;
    case "failed":
      return <Mark tone="block">failed</Mark>;
    case "withdrawn":
    case "expired":
    case "superseded":
      return <Quiet>{row.state}</Quiet>;
    default:
      return unreachable(row.state);
  }
}

/** Said after asking for something, wherever it was asked for. */
export const waitsWords = (what: string, { needed }: { needed: number }): string =>
  `${what} waits for ${needed === 1 ? "one approver’s signature" : `${needed} approvers’ signatures`}: see Approvals.`;
