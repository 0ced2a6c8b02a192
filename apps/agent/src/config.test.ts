import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { GuestId } from "@sallyport/shared/base/ids.ts";
import { afterEach, beforeEach, expect, it } from "vitest";
import { ConfigError, readConfig, xlConfigOf } from "./config.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sallyport-config-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));
const written = (config: object) => {
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
  return readConfig(folder, undefined);
};
const id = (text: string) => text as GuestId;

it("says what each guest is started from, and of one that it does not name nothing", () => {
  const config = written({ guests: [{ id: "work", xlConfig: "/etc/xen/win 11.cfg" }, { id: "play" }] });
  expect(["work", "play", "nobody"].map((guest) => xlConfigOf(config, id(guest)))).toEqual([
    "/etc/xen/win 11.cfg",
    undefined,
    undefined,
  ]);
});

it.each(["work.cfg", "/etc/xen/", "/etc/xen/../../home/a.cfg", "/etc//xen/a.cfg", ""])(
  "refuses to start a guest from %j, and says where that stands",
  (xlConfig) => {
    const read = () => written({ guests: [{ id: "work", xlConfig }] });
    expect(read).toThrow(ConfigError);
    expect(read).toThrow(/config\.json is refused:[\s\S]*guests\[0\]\.xlConfig/);
  },
);
