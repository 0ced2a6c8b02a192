/** What a purge leaves where a site has put the agent's folders elsewhere: the script in a mount namespace of its own. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const run = promisify(execFile);

it.runIf(process.getuid?.() === 0 && existsSync("/usr/bin/unshare"))(
  "a purge takes all keys and evidence that it may, ends well, and says what it leaves",
  async () => {
    const script = join(import.meta.dirname, "../debian/postrm");
    const args = ["--mount", "--propagation", "private", "sh", join(import.meta.dirname, "purge.sh"), script];
    const { stdout } = await run("unshare", args, { timeout: 60_000 });
    expect(stdout.trimEnd().split("\n")).toEqual([
      "sallyport-agent: /var/lib/sallyport-agent/usb cannot be removed and is left, with what is in it: remove it yourself.",
      "sallyport-agent: /var/lib/sallyport-ids is a link. What it leads to is left, with keys and evidence: remove it yourself.",
      "ended 0",
      "/var/lib/elsewhere",
      "/var/lib/elsewhere/own",
      "/var/lib/sallyport-agent",
      "/var/lib/sallyport-agent/usb",
      "/var/lib/sallyport-agent/usb/a.img",
      "/var/lib/sallyport-ids",
      "/var/log/sallyport-agent",
    ]);
  },
);
