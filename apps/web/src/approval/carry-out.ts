/** What was waited for → done, by the very code of the noun that asked for it. */
import type { ProposalKind } from "@sallyport/shared/approval/proposal.ts";
import type { PoolClient } from "pg";
import { askSigned } from "../command/ask.ts";
import type { Act } from "../person/act.ts";
import { publishSigned } from "../policy/publish.ts";
import { startSigned } from "../rollout/start.ts";
import { exceptSigned } from "../usb/exception.ts";
import { moveSigned } from "../workstation/change.ts";
import type { Carrying } from "./carrying.ts";
import { keysSigned } from "./keys.ts";
import { changeSigned } from "./signers.ts";

/** In the caller's transaction. @throws Refusal where it cannot be done any more */
export const CARRY_OUT: Record<ProposalKind, (tx: PoolClient, carrying: Carrying) => Promise<Act>> = {
  policy: publishSigned,
  rollout: startSigned,
  signers: changeSigned,
  move: moveSigned,
  exception: exceptSigned,
  command: askSigned,
  keys: keysSigned,
};
