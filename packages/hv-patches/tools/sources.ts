/** The machine's apt sources → the Debian archive to take another suite from, so that no host is written down. */

export type Archive = {
  /** Where the archive's `dists/` and `pool/` lie, without a trailing slash. */
  mirror: string;
  suite: string;
  keyring: string | undefined;
};

type Source = { types: string[]; uris: string[]; suites: string[]; components: string[]; keyring: string | undefined };

const words = (text: string | undefined) => (text ?? "").split(/\s+/).filter((word) => word !== "");

/** One paragraph of a `.sources` file (deb822). */
function paragraph(text: string): Source | undefined {
  const fields = new Map<string, string>();
  let last = "";
  for (const line of text.split("\n")) {
    if (line.startsWith("#")) continue;
    const field = /^([A-Za-z-]+):(.*)$/.exec(line);
    if (field) {
      last = field[1]!.toLowerCase();
      fields.set(last, field[2]!.trim());
    } else if (last !== "" && /^\s/.test(line)) fields.set(last, `${fields.get(last)}\n${line.trim()}`);
  }
  if (/^(no|false|0|off)$/i.test(fields.get("enabled") ?? "yes")) return undefined;
  const keyring = fields.get("signed-by");
  return {
    types: words(fields.get("types")),
    uris: words(fields.get("uris")),
    suites: words(fields.get("suites")),
    components: words(fields.get("components")),
    keyring: keyring?.startsWith("/") ? words(keyring)[0] : undefined,
  };
}

/** One line of a `.list` file: `deb [signed-by=…] URI suite component…`. */
function oneLine(line: string): Source | undefined {
  const parts = /^\s*(deb|deb-src)\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s*(.*)$/.exec(line);
  if (!parts) return undefined;
  return {
    types: [parts[1]!],
    uris: [parts[3]!],
    suites: [parts[4]!],
    components: words(parts[5]),
    keyring: /(?:^|\s)signed-by=(\/[^\s,]+)/i.exec(parts[2] ?? "")?.[1],
  };
}

/** Everything the text of apt's source files names, deb822 and one-line alike. */
export function parseSources(text: string): Source[] {
  const found: Source[] = [];
  for (const block of text.split(/\n\s*\n/)) {
    const source = /^types:/im.test(block) ? [paragraph(block)] : block.split("\n").map(oneLine);
    found.push(...source.filter((each): each is Source => each !== undefined));
  }
  return found;
}

/**
 * The archive that serves this machine's own Debian release also serves its other suites.
 * `codename` is the machine's own (VERSION_CODENAME of os-release).
 */
export function archiveOf(text: string, codename: string, suite: string): Archive | undefined {
  const own = parseSources(text).find(
    (source) =>
      source.types.includes("deb") &&
      source.components.includes("main") &&
      (source.suites.includes(codename) || source.suites.includes(suite) || source.suites.includes("stable")) &&
      source.uris.some((uri) => /^(https?|file|copy|mirror\+file|tor\+https?):/.test(uri)),
  );
  const mirror = own?.uris[0];
  return mirror === undefined ? undefined : { mirror: mirror.replace(/\/+$/, ""), suite, keyring: own?.keyring };
}
