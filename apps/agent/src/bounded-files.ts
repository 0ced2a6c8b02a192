/** Wires what keeps the files small that dom0's own programs write and the agent follows. Files that a site names besides
 *  are the site's to rotate. */
import { join } from "node:path";
import type { AgentConfig } from "./config.ts";
import { suricata } from "./dom0/detector.ts";
import type { Dom0 } from "./dom0/dom0.ts";
import { logFiles, reopenConsoles, reopenDrops } from "./dom0/log-files.ts";
import { CONSOLE_BYTES_MAX, CONSOLES_BYTES_MAX, FOLLOWED_BYTES_MAX, FOLLOWED_FILE_BYTES_MAX } from "./limits.ts";
import { guestName } from "./sources/console/source.ts";
import { boundedFiles } from "./sources/follow/bound.ts";
import { currentName } from "./sources/follow/rotated.ts";
import type { Source } from "./sources/source.ts";

/** Where the package's ulogd.conf has it. */
const DROPS = "/var/log/sallyport-agent/drops.json";

export function boundSources({ ids, ulogd, consoles }: AgentConfig, dom0: Dom0): Source[] {
  const one = { dom0, files: logFiles, fileBytesMax: FOLLOWED_FILE_BYTES_MAX, bytesMax: FOLLOWED_BYTES_MAX };
  const events = ids && join(ids.folder, "log/eve.json");
  return [
    ...(ids && events
      ? [
          boundedFiles({
            ...one,
            name: events,
            kind: "eve",
            paths: async () => [events],
            reopen: async () => void (await suricata(dom0, ids).ask("reopen-log-files")),
          }),
        ]
      : []),
    ...ulogd
      .filter((path) => path === DROPS)
      .map((path) =>
        boundedFiles({ ...one, name: path, kind: "ulogd", paths: async () => [path], reopen: () => reopenDrops(dom0) }),
      ),
    ...consoles.map(({ folder, pattern }) =>
      boundedFiles({
        ...one,
        name: `${folder}/${pattern}`,
        kind: "console",
        fileBytesMax: CONSOLE_BYTES_MAX,
        bytesMax: CONSOLES_BYTES_MAX,
        async paths() {
          const names = ((await dom0.list(folder)) ?? []).map(currentName);
          return [...new Set(names)]
            .filter((name) => guestName(name, pattern) !== undefined)
            .map((name) => `${folder}/${name}`);
        },
        reopen: () => reopenConsoles(dom0),
      }),
    ),
  ];
}
