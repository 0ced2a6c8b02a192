/** /proc/net/udp → how many datagrams the kernel dropped at a port because nobody read them in time. */

/** Sum over the table's sockets bound to the port; nothing where there is none. */
export function kernelDrops(table: string, port: number): number | undefined {
  const end = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  let drops: number | undefined;
  for (const line of table.split("\n").slice(1)) {
    const fields = line.trim().split(/\s+/);
    const dropped = Number(fields[12]);
    if (fields[1]?.endsWith(end) && Number.isSafeInteger(dropped)) drops = (drops ?? 0) + dropped;
  }
  return drops;
}
