/** A person's change → the console's own trail, in the transaction that makes the change: neither is without the other. */
import type { PersonAct } from "@sallyport/shared/record/console.ts";
import type { Severity } from "@sallyport/shared/record/severity.ts";
import type { Pool, PoolClient } from "pg";
import { inTransaction } from "../transaction.ts";
import type { Actor, Origin } from "./actor.ts";

export type RecordConsole = (
  tx: PoolClient,
  record: { kind: string; severity: Severity; text: string; body: PersonAct },
) => Promise<unknown>;

export type Act = {
  kind: `person.${string}`;
  /** One line for people, without the actor's name. */
  text: string;
  severity?: Severity;
  subject?: string;
  before?: PersonAct["before"];
  after?: PersonAct["after"];
};

/** A session's person, or the bearer of an API token, whose id `token` is. */
export type By = Pick<Actor, "id" | "email"> & { session?: string; token?: string };

export function actRecord(by: By, origin: Origin, act: Act): Parameters<RecordConsole>[1] {
  return {
    kind: act.kind,
    severity: act.severity ?? "notice",
    text: `${by.email} ${act.text}`,
    body: {
      actor: { id: by.id, email: by.email, ...(by.token !== undefined && { token: by.token }) },
      ...(origin.address !== undefined && { address: origin.address.slice(0, 64) }),
      ...(by.session !== undefined && { session: by.session }),
      ...(act.subject !== undefined && { subject: act.subject.slice(0, 256) }),
      ...(act.before !== undefined && { before: act.before }),
      ...(act.after !== undefined && { after: act.after }),
    },
  };
}

/** Runs the change and its record in one transaction. `change` answers the act, or throws and nothing happened. */
export async function withRecord<T>(
  pool: Pool,
  recordConsole: RecordConsole,
  by: By,
  origin: Origin,
  change: (tx: PoolClient) => Promise<{ act: Act; value: T }>,
): Promise<T> {
  return inTransaction(pool, async (tx) => {
    const { act, value } = await change(tx);
    await recordConsole(tx, actRecord(by, origin, act));
    return value;
  });
}
