/** Rollouts over the seeded fleet: one that a guard paused, one that soaks, one that was taken back. */
import { randomUUID } from "node:crypto";
import { Policy } from "@sallyport/shared/policy/policy.ts";
import { Plan } from "@sallyport/shared/rollout/plan.ts";
import type pg from "pg";
import { start } from "../../apps/web/src/rollout/start.ts";
import { step } from "../../apps/web/src/rollout/step.ts";
import { commandRollout } from "../../apps/web/src/rollout/store.ts";
import type { ConsoleKey } from "../../apps/web/src/trail/key.ts";
import { consoleRecorder } from "../../apps/web/src/trail/recorder.ts";
import type { FleetSeeded } from "./fleet.ts";

const LOOK_MS = 6_000;

export type RolloutsSeeded = { paused: string; soaking: string; aborted: string };

export async function seedRollouts(
  pool: pg.Pool,
  consoleKey: ConsoleKey,
  { groups }: FleetSeeded,
): Promise<RolloutsSeeded> {
  const recordConsole = consoleRecorder(consoleKey);
  let now = Date.now();
  const look = (id: string) => {
    now += LOOK_MS;
    return step({ pool, recordConsole }, id, new Date(now));
  };
  const inOne = async (act: (tx: pg.PoolClient) => Promise<unknown>) => {
    const tx = await pool.connect();
    await tx.query("BEGIN");
    await act(tx);
    await tx.query("COMMIT");
    tx.release();
  };
  const begin = async (group: string, lines: number, message: string, waves: object[]): Promise<string> => {
    const id = randomUUID();
    const source = `log:\n  linesPerSecond: ${lines}\n`;
    const policy = Policy.parse({ log: { linesPerSecond: lines } });
    const plan = Plan.parse({ waves });
    const { rows } = await pool.query<{ id: string }>("SELECT id FROM person LIMIT 1");
    const author = rows[0]?.id ?? "sallyport";
    await inOne((tx) => start(tx, consoleKey, { id, group, source, policy, message, plan, author, now: new Date() }));
    return id;
  };
  /** Those told report it in force, or that a section failed. */
  const report = (id: string, failed?: string) =>
    pool.query(
      `UPDATE reported SET received_at = now(), document = document || jsonb_build_object(
         'policy', jsonb_build_object('digest', r.digest, 'order', r."order", 'taken', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'old', false),
         'sections', (SELECT jsonb_object_agg(name, CASE WHEN name = $2 AND t.wave > 0
             THEN '{"outcome": "failed", "reason": "no such interface: vif3.0"}'::jsonb ELSE '{"outcome": "applied"}' END)
           FROM unnest('{usb,network,ids,log,disk,agent}'::text[]) AS name))
        FROM rollout r JOIN rollout_told t ON t.rollout_id = r.id
       WHERE r.id = $1 AND t.workstation_id = reported.workstation_id`,
      [id, failed ?? ""],
    );
  const three = [
    { label: "canary", soakSeconds: 0 },
    { percent: 50, soakSeconds: 1800 },
    { all: true, soakSeconds: 600 },
  ];
  const paused = await begin(groups.laboratory, 400, "Fewer lines kept of a noisy guest", three);
  for (let at = 0; at < 4; at++) {
    await look(paused);
    await report(paused);
  }
  await look(paused);
  await report(paused, "network");
  await look(paused);

  const soaking = await begin(groups["front desk"], 300, "As in the laboratory", [{ all: true, soakSeconds: 1800 }]);
  await look(soaking);
  await report(soaking);
  for (let at = 0; at < 3; at++) await look(soaking);

  const aborted = await begin(groups.finance, 200, "Half as many lines", three.slice(2));
  await look(aborted);
  await inOne((tx) =>
    commandRollout(tx, {
      id: aborted,
      command: "abort",
      reason: "The month is being closed; not today",
      version: undefined,
      by: "sallyport",
      now: new Date(now),
    }),
  );
  await look(aborted);
  return { paused, soaking, aborted };
}
