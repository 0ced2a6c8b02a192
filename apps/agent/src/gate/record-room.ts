/** What a stick says of itself → as much of it as goes into one record. A record ends at 256 KiB; one that is longer would be
 *  on the trail as malformed, and a stick could keep its own files off it. Pure. */

/** One after another is asked about; from the first on that does not fit, none does. */
export function recordRoom(bytesMax: number): (said: unknown) => boolean {
  let left = bytesMax;
  return (said) => {
    if (left >= 0) left -= Buffer.byteLength(JSON.stringify(said)) + 1;
    return left >= 0;
  };
}
