/** What the system answered about a path or an address (POSIX errno names, and Node's own), in words for people. */
const WORDS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file or folder",
  ENOTDIR: "a part of that path is a file, not a folder",
  EISDIR: "it is a folder, where a file is needed",
  EACCES: "this user may not open it",
  EPERM: "this user may not do that",
  EROFS: "its disk is read-only",
  ENOSPC: "its disk is full",
  EDQUOT: "this user's share of its disk is full",
  ELOOP: "its links lead in a circle",
  ENAMETOOLONG: "the name is too long",
  ENXIO: "it is a socket or a device that is not there, not a file",
  ENODEV: "the device is not there",
  EIO: "the disk under it does not read",
  ECONNREFUSED: "nothing listens there",
  ECONNRESET: "the connection was cut",
  ETIMEDOUT: "no answer came in time",
  ENOTFOUND: "there is no host of that name",
  EAI_AGAIN: "host names cannot be looked up now",
  EMFILE: "too many files are open",
  ERR_INVALID_ARG_VALUE: "no path may hold a zero byte",
};

const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";

/** Half a sentence, lower case, without a full stop; the error's own message where there are no words for its code. */
export function whyNot(error: unknown): string {
  return isAnswer(error) ? WORDS[codeOf(error)]! : error instanceof Error ? error.message : String(error);
}

/** Whether it is the world's answer rather than a fault of this program. */
export const isAnswer = (error: unknown): boolean => Object.hasOwn(WORDS, codeOf(error));
