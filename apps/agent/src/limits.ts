/** Every bound of the agent that no policy sets, each with its reason. */

/** One transaction: long enough to spread the sync over many records, short enough not to stall the event loop. */
export const COMMIT_RECORDS_MAX = 2_048;
export const COMMIT_BYTES_MAX = 4 * 1024 * 1024;

/** While the disk refuses commits so much waits in memory; what comes beyond it is counted and lost. */
export const REFUSED_RECORDS_MAX = 2_048;
export const REFUSED_BYTES_MAX = 4 * 1024 * 1024;

/** An entry takes about this much disk, so entries are bounded by `spoolBytesMax` over it. */
export const ENTRY_DISK_BYTES = 256;

/** The spool's write-ahead log is cut back to this (spool/schema.ts). */
export const LOG_DISK_BYTES = 16 * 1024 * 1024;

/** Share of the spool that only what must never be lost may use. */
export const RESERVE_SHARE = 0.1;

/** When contents give way they give way by this share at once: one gap record, not one a line. */
export const GIVE_WAY_SHARE = 1 / 16;

/** Guests and channels with a bucket of their own; the rest share one. */
export const BUCKETS_MAX = 1_024;

/** Alerts of one guest, and of one signature of it: enough to see each attempt, too few to fill a spool in a night. The
 *  signatures beyond so many share one bucket. */
export const ALERTS_PER_SECOND = 100;
export const ALERTS_BURST = 500;
export const SIGNATURE_PER_SECOND = 5;
export const SIGNATURE_BURST = 50;
export const SIGNATURES_OF_GUEST_MAX = 256;

/** Share of the spool that alerts may hold for ever; beyond it they give way after guest logs, so that no guest can fill
 *  what the gate needs. */
export const ALERTS_SHARE = 0.5;

/** How often what was held back is told while it goes on. */
export const SUPPRESSED_FLUSH_MS = 5_000;

/** What a batch unpacks to; far below the wire's bound, so that building one costs little memory, and small enough
 *  that no batch, however incompressible, passes a broker's mebibyte. */
export const BATCH_TARGET_BYTES = 960 * 1024;

/** A batch of guest lines is full with this many; it does not linger. */
export const BATCH_FULL_RECORDS = 512;

/** On connecting: how long the console may take to say where it stands. */
export const STAND_WAIT_MS = 3_000;

/** No receipt within this time: send again from the last one; doubled up to the bound, with jitter. */
export const RECEIPT_WAIT_MS = 4_000;
export const RECEIPT_WAIT_MS_MAX = 60_000;

/** Between two connection attempts: jittered, doubled up to the bound. */
export const RECONNECT_DELAY_MS = 500;
export const RECONNECT_DELAY_MS_MAX = 60_000;

/** A source that threw is started again after this, doubled up to the bound. */
export const SOURCE_RETRY_MS = 1_000;
export const SOURCE_RETRY_MS_MAX = 60_000;

/** Trails opened within an hour: a console that keeps contradicting us must not fill the disk with trails. */
export const TRAILS_PER_HOUR_MAX = 12;

/** Certificates are looked at this often; renewed with less than a third of their life left. */
export const RENEWAL_CHECK_MS = 10 * 60_000;

/** What is in force is looked at this often at least, however rarely it is reported: what somebody changed by hand is seen
 *  within a minute, and what has ended does not stay much longer. */
export const LOOK_MS_MAX = 20_000;

/** What of unreadable bytes is kept in an `agent.malformed` record. */
export const MALFORMED_BYTES_MAX = 4_096;

/** Statements refused that are remembered, so that a retained message is refused aloud only once. */
export const REFUSED_REMEMBERED = 64;

/** What dom0's own programs write and the agent follows (the detector's events, the firewall's drops): a file that is
 *  larger is moved aside, and what is not read yet may be so much. Seconds of a flood, minutes of a busy day. */
export const FOLLOWED_FILE_BYTES_MAX = 32 * 1024 * 1024;
export const FOLLOWED_BYTES_MAX = 256 * 1024 * 1024;

/** The same of one guest's console, and of all consoles in a folder. */
export const CONSOLE_BYTES_MAX = 8 * 1024 * 1024;
export const CONSOLES_BYTES_MAX = 128 * 1024 * 1024;
