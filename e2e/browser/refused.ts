/** Messages that were refused, and the alert of one, as ingest leaves them. */
import type pg from "pg";

const STRANGER = "0f8a7d52-6c3b-4e21-9d10-5b7c8e9f0a11";

export async function seedRefused(pool: pg.Pool, workstation: string): Promise<void> {
  const keep = (sender: string, channel: string, code: string, reason: string, text: string, size = text.length) =>
    pool.query(
      `INSERT INTO quarantine (workstation_id, topic, code, reason, size, bytes) VALUES ($1, $2, $3, $4, $5, $6)`,
      [sender, `sallyport/1/${sender.slice(0, 2)}/${sender}/${channel}`, code, reason, size, Buffer.from(text)],
    );
  await keep(workstation, "presence", "malformed", "a presence is JSON of one line", "online, honestly");
  // it came three times more
  await pool.query("UPDATE quarantine SET again = 3 WHERE code = 'malformed'");
  await keep(STRANGER, "reported", "unknown", "no such workstation is enrolled", '{"at":"2026-11-24T08:00:00.000Z"}');
  const reason = "its trail begins under another workstation’s key";
  await keep(workstation, "batch", "trail", reason, "(a batch)", 131_072);
  await pool.query(
    `INSERT INTO alert (key, workstation_id, kind, severity, title, reason)
     VALUES ($1, $2, 'ingest.refused', 4, 'A trail that begins wrong or is another''s', $3)`,
    [`refused/${workstation}/trail/2026-11-24`, workstation, reason],
  );
}
