/** The only door to the host: processes, files, clocks. `real.ts` is this machine, `sim/` a pretend one; both pass the
 *  same contract suite. */

/** What a finished process left. `code` is null where a signal or the time limit ended it. */
export type Ran = { code: number | null; stdout: string; stderr: string; timedOut: boolean };
/** `input` is what the program reads; without it, nothing. `environment` is beside the agent's own. */
export type RunLimits = {
  timeoutMs: number;
  outputBytesMax?: number;
  signal?: AbortSignal;
  input?: string | Uint8Array;
  environment?: Readonly<Record<string, string>>;
};

export type FileFacts = { device: string; inode: string; size: number; modifiedMs: number };

/** Whose it is, and who may write it, by its mode's bits. */
export type Owner = { is: "file" | "folder" | "link" | "other"; uid: number; mode: number };

/** An open file keeps speaking of the same inode after a rotation by rename. */
export type OpenFile = {
  facts(): Promise<FileFacts>;
  /** Up to `bytesMax` bytes from `offset`; empty at the end. */
  read(offset: number, bytesMax: number): Promise<Uint8Array>;
  close(): Promise<void>;
};

export type Dom0 = {
  /** Milliseconds since 1970; a claim. */
  now(): number;
  /** Milliseconds that only ever rise while the machine runs. */
  monotonic(): number;
  hostname(): string;
  kernel(): string;
  /** @throws DoorError where the program cannot be started (absent, not allowed) */
  run(program: string, args: readonly string[], limits: RunLimits): Promise<Ran>;
  /** The file's text up to a bound; nothing where there is none. @throws DoorError otherwise */
  readText(path: string, bytesMax: number): Promise<string | undefined>;
  facts(path: string): Promise<FileFacts | undefined>;
  /** Of a link its own. */
  owner(path: string): Promise<Owner | undefined>;
  open(path: string): Promise<OpenFile | undefined>;
  /** A link, a pipe or a device in its place is refused: who may write beside it may not choose what is read.
   *  @throws DoorError */
  openRegular(path: string): Promise<OpenFile | undefined>;
  list(folder: string): Promise<string[] | undefined>;
  /** Yields when something at `path` may have changed, at the latest each `everyMs`. Ends with the signal. */
  watch(path: string, everyMs: number, signal: AbortSignal): AsyncIterable<void>;
  /** Makes way for a listening Unix socket: removes a socket nobody listens on, makes its folder. */
  clearSocket(path: string): Promise<void>;
  diskSpace(path: string): Promise<{ freeBytes: number; totalBytes: number } | undefined>;
};

/** The host said no. `reason` is for people: what, where. */
export class DoorError extends Error {
  override name = "DoorError";
}
