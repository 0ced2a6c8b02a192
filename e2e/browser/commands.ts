/** Commands in each state that a page has to show. */
import type { WorkstationId } from "@sallyport/shared/base/ids.ts";
import type { CommandState } from "@sallyport/shared/command/state.ts";
import type { Verb } from "@sallyport/shared/command/verb.ts";
import type pg from "pg";
import { ask } from "../../apps/web/src/command/ask.ts";
import type { ConsoleKey } from "../../apps/web/src/trail/key.ts";

const HOUR_MS = 3_600_000;

export async function seedCommands(pool: pg.Pool, key: ConsoleKey, workstation: string, name: string): Promise<void> {
  const at = (hoursAgo: number) => new Date(Date.now() - hoursAgo * HOUR_MS);
  const iso = (hoursAgo: number) => at(hoursAgo).toISOString();
  const told: [Verb, object, number, string, CommandState | undefined][] = [
    ["diagnostics", {}, 30, "its display flickers", { state: "done", at: iso(29.9), reason: "one record of 41 kB" }],
    ["pause", { guest: "win11-lab" }, 26, "before the disk is copied", { state: "done", at: iso(25.9) }],
    [
      "destroy-guest",
      { guest: "win11-lab" },
      25,
      "it does not come back from the pause",
      {
        state: "failed",
        at: iso(24.9),
        reason: "xl destroy: there is no domain win11-lab in this start of the machine",
      },
    ],
    [
      "start-guest",
      { guest: "win11-lab" },
      24,
      "its disk is copied",
      { state: "done", at: iso(23.9), reason: "win11-lab (domain 7) was started" },
    ],
    ["rescan", {}, 20, "new definitions for last week's find", { state: "expired", at: iso(10), by: "console" }],
    ["isolate", { until: iso(-6) }, 0.1, "it speaks to a stranger on port 4444", { state: "received", at: iso(0.09) }],
    ["diagnostics", {}, 0.01, "what runs while it is cut off", undefined],
  ];
  const { rows } = await pool.query<{ id: string }>("SELECT id FROM person LIMIT 1");
  const by = rows[0]!.id;
  const tx = await pool.connect();
  try {
    for (const [verb, given, hoursAgo, reason, state] of told) {
      const asked = { verb, arguments: given, minutes: 480, reason, by, now: at(hoursAgo) };
      const { id } = await ask(tx, key, { workstation: workstation as WorkstationId, name, ...asked });
      if (state) await tx.query("UPDATE command SET state = $2, standing = $3 WHERE id = $1", [id, state, state.state]);
    }
  } finally {
    tx.release();
  }
}
