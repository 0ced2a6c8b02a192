/** Which keys are the console's: one statement for each workstation, believed by as many as a policy needs there. */
import type { PoolClient } from "pg";
import { z } from "zod";
import { putStatements } from "../dispatch/sign.ts";
import type { Act } from "../person/act.ts";
import { addressed } from "./addressed.ts";
import type { Carrying } from "./carrying.ts";

const Prepared = z.object({ group: z.string(), name: z.string(), keys: z.array(z.string()), reason: z.string() });

/** Enough people of the group have signed. Who has left it or came since is asked for again by whoever rotates. */
export async function keysSigned(tx: PoolClient, { act, statements }: Carrying): Promise<Act> {
  const { group, name, keys, reason } = Prepared.parse(act);
  const { rows } = await tx.query<{ id: string }>(
    "SELECT id FROM workstation WHERE group_id = $1 AND state = 'enrolled' FOR NO KEY UPDATE",
    [group],
  );
  const members = new Set(rows.map(({ id }) => id));
  const told = addressed(statements).filter(({ workstation }) => members.has(workstation));
  await putStatements(tx, told);
  await tx.query("SELECT pg_notify('publication', $1)", [group]);
  return {
    kind: "person.console-keys-named",
    severity: "warning",
    text: `told ${told.length} workstations of ${name} which keys are the console's: ${keys.join(", ")}: ${reason}`.slice(
      0,
      900,
    ),
    subject: `group/${group}`,
    after: { keys, reason, workstations: told.length },
  };
}
