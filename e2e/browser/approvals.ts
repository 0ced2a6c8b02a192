/** Groups with approvers, and something of each kind that waits for them or did. */
import { toBase64 } from "@sallyport/shared/base/bytes.ts";
import type { WorkstationId } from "@sallyport/shared/base/ids.ts";
import { readPolicy } from "@sallyport/shared/policy/document.ts";
import { signText } from "@sallyport/shared/trail/signed.ts";
import type pg from "pg";
import { takeSigning } from "../../apps/web/src/approval/sign.ts";
import { changeSigners } from "../../apps/web/src/approval/signers.ts";
import { getProposal } from "../../apps/web/src/approval/store.ts";
import { withdraw } from "../../apps/web/src/approval/withdraw.ts";
import { ask } from "../../apps/web/src/command/ask.ts";
import { type Act, withRecord } from "../../apps/web/src/person/act.ts";
import { publish, publishedAct } from "../../apps/web/src/policy/publish.ts";
import { hash } from "../../apps/web/src/trail/crypto.ts";
import type { ConsoleKey } from "../../apps/web/src/trail/key.ts";
import { consoleRecorder } from "../../apps/web/src/trail/recorder.ts";
import { newSigner } from "../../packages/shared/test/keys.ts";

export type ApprovalsSeeded = { policy: string; wipe: string; withdrawn: string };

/** `workstation` is one of `group`. */
export async function seedApprovals(
  pool: pg.Pool,
  key: ConsoleKey,
  group: string,
  workstation: { id: string; name: string },
): Promise<ApprovalsSeeded> {
  const { rows } = await pool.query<{ id: string; email: string }>("SELECT id, email FROM person LIMIT 1");
  const by = rows[0]!;
  const record = consoleRecorder(key);
  const act = <T>(change: (tx: pg.PoolClient) => Promise<{ act: Act; value: T }>) =>
    withRecord(pool, record, by, { address: "192.0.2.7" }, change);
  const [mara, jonas] = [newSigner(), newSigner()];
  const approvers = [mara, jonas].map(({ publicKey }, at) => ({
    name: ["Mara Lind", "Jonas Weber"][at]!,
    publicKey: toBase64(publicKey),
  }));
  await act(async (tx) => {
    const asked = { group, choice: { approvers, needed: 2 }, reason: "two persons", by: by.id, now: new Date() };
    return { ...(await changeSigners(tx, key, asked)), value: null };
  });
  const offer = (source: string, message: string) =>
    act(async (tx) => {
      const read = readPolicy(source);
      if (!read.ok) throw new Error("no policy");
      const newest = await tx.query('SELECT coalesce(max("order"), 0) AS newest FROM publication WHERE group_id = $1', [
        group,
      ]);
      const basedOn = newest.rows[0].newest as number;
      const asked = { group, source, policy: read.policy, message, basedOn, author: by.id, now: new Date() };
      const done = await publish(tx, key, asked);
      return { act: publishedAct(asked, done), value: done.waiting!.id };
    });
  const withdrawn = await offer("log: { linesPerSecond: 40 }\n", "Try fewer lines");
  await act(async (tx) => ({
    act: await withdraw(tx, { id: withdrawn, reason: "the wrong group", by: by.id, now: new Date() }),
    value: null,
  }));
  const policy = await offer(
    "usb: { deviceRules: [], unscannable: allow }\nnetwork: { otherwise: allow }\n",
    "The scanner is away this week",
  );
  const { statements } = await getProposal(pool, policy);
  const signatures = statements.map(({ text }) => signText(hash, mara!, "sallyport/statement/1", text));
  await act((tx) =>
    takeSigning(tx, record, by, {}, { proposal: policy, key: toBase64(mara!.publicKey), signatures }, new Date()),
  );
  const wipe = await act(async (tx) => {
    const told = await ask(tx, key, {
      ...{ workstation: workstation.id as WorkstationId, name: workstation.name, verb: "wipe", minutes: 1440 },
      arguments: { volume: "01234567-89ab-cdef-0123-456789abcdef" },
      ...{ reason: "It was stolen from a car", by: by.id, now: new Date() },
    });
    return { act: { kind: "person.proposed", text: "asked for signatures: wipe" }, value: told.waiting!.id };
  });
  return { policy, wipe, withdrawn };
}
