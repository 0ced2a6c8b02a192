/** The only door to the host: processes, files, clocks. `real.ts` is this machine, `sim/` a pretend one; both pass the
 *  same contract suite. */

/** What a finished process left; its output up to `outputBytesMax` of each. `code` is null where a signal or the time limit ended it. */
export type Ran = { code: number | null; stdout: string; stderr: string; timedOut: boolean };
/** `input` is what the program reads; without it, nothing. `environment` is beside the agent's own. */
export type RunLimits = {
  timeoutMs: number;
  /** A mebibyte where nothing is said; what comes beyond it is thrown away. */
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

/** Where a path may be absent the answer is undefined. */
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
  /** Of a link those of what it leads to. @throws DoorError */
  facts(path: string): Promise<FileFacts | undefined>;
  /** Of a link its own. */
  owner(path: string): Promise<Owner | undefined>;
  /** @throws DoorError */
  open(path: string): Promise<OpenFile | undefined>;
  /** A link, a pipe or a device in its place is refused: who may write beside it may not choose what is read.
   *  @throws DoorError */
  openRegular(path: string): Promise<OpenFile | undefined>;
  /** Names in it, in no order. @throws DoorError */
  list(folder: string): Promise<string[] | undefined>;
  /** Yields when something at `path` may have changed, at the latest each `everyMs`. Ends with the signal. */
  watch(path: string, everyMs: number, signal: AbortSignal): AsyncIterable<void>;
  /** Makes way for a listening Unix socket: removes a socket nobody listens on, makes its folder. @throws DoorError where
   *  something else is there, or somebody listens */
  clearSocket(path: string): Promise<void>;
  /** Of the file system it lies on. @throws DoorError */
  diskSpace(path: string): Promise<{ freeBytes: number; totalBytes: number } | undefined>;
};

/** The host said no. The message is for people: what, where, and what can be done about it. */
export class DoorError extends Error {
  override name = "DoorError";
}
