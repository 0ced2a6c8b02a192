/** What a person runs in dom0, as the Enrol page shows it. */

/** `token`: one that enrols one machine, on standard input; else it is asked for, and stays in nobody's history. */
export const enrolLine = (program: string, token?: string): string =>
  token === undefined ? `${program} enrol -` : `printf %s ${token} | ${program} enrol -`;

/** `origin`: where the page was opened, for machines reach the console by the name that people do. `sources`: the sum of what
 *  they write down; apt's own helper fetches it, and keeps nothing whose sum is another one. */
export const packageLine = (origin: string, sources: string, enrol: string): string =>
  [
    `/usr/lib/apt/apt-helper download-file ${origin}/packages/sallyport.sources /etc/apt/sources.list.d/sallyport.sources SHA256:${sources}`,
    "apt-get update",
    "apt-get install -y sallyport-agent",
    enrol,
    "systemctl start sallyport-agent",
  ].join(" && ");
