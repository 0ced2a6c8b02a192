/** Promise: a stick that nobody can look into waits for a person; what they let through is with the guest for as long as they
 *  said, and no longer. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, it } from "vitest";
import { useGuarded } from "./boot.ts";
import { until } from "./guarded.ts";
import { makeStick, sha256 } from "./sticks.ts";

/** An archive under a pass phrase: no scanner sees what is in it. */
function lockedZip(): Buffer {
  const aside = mkdtempSync(path.join(tmpdir(), "zip-"));
  try {
    writeFileSync(path.join(aside, "plans.txt"), "what nobody may read\n");
    execFileSync("zip", ["-q", "-P", "secret", "locked.zip", "plans.txt"], { cwd: aside });
    return readFileSync(path.join(aside, "locked.zip"));
  } finally {
    rmSync(aside, { recursive: true });
  }
}

const at = useGuarded();

it("held as unscannable it asks, is approved, is with the guest, and is taken back when the time is over", async () => {
  const { workstation, api, id, record, records } = at();
  const zip = lockedZip();
  const image = path.join(workstation.folder, "locked.img");
  const stick = makeStick(image, { "locked.zip": zip, "letter.txt": "Dear guest,\n" });
  const since = new Date();
  await workstation.plug(stick);
  const request = await record("usb.request", { since });
  expect(request.body).toMatchObject({ rule: "unscannable", files: expect.any(Number) });
  expect(await records("usb.attach", since)).toEqual([]);
  const asked = async () => {
    const { rows } = await api.usb.requests.query({});
    return rows.find((row) => row.workstation.id === id && row.stick === request.body.stick)!;
  };
  const row = await asked();
  expect(row.what).toEqual({ state: "asked" });
  const reason = "the plans are expected, and stay on this machine";
  await api.usb.except.mutate({ trail: row.trail, index: row.scan!, hours: 1, reason });
  expect((await asked()).what).toMatchObject({ state: "allowed", reason });
  const attach = await record("usb.attach", { since });
  expect(attach.body).toMatchObject({ mode: "rebuild", stick: request.body.stick });
  const verdict = await record("usb.verdict", { since, fits: ({ body }) => body.exception !== undefined });
  expect(verdict.body).toMatchObject({ verdict: "allow", about: "contents" });
  const disk = `/dev/${attach.body.handles[0]}`;
  const look = `mkdir -p /tmp/stick && mount -t exfat -o ro ${disk}1 /tmp/stick && sha256sum /tmp/stick/*; umount /tmp/stick`;
  const seen = await workstation.guest("primary", look);
  expect(seen).toContain(sha256("Dear guest,\n"));

  // an hour later, by the workstation's own clock
  await workstation.dom0.run("date -s '+61 minutes'");
  try {
    const ended = ({ body }: { body: { refused?: boolean; reason?: string } }) =>
      body.refused === true && /exception has ended/.test(body.reason ?? "");
    await record("usb.step", { since, fits: ended });
    const gone = async () => !(await workstation.guest("primary", `ls ${disk} 2> /dev/null || true`)).includes(disk);
    await until(gone, "the guest has lost it");
  } finally {
    await workstation.dom0.run(`date -s @${Math.ceil(Date.now() / 1000)}`);
  }
  await workstation.unplug();
  await record("usb.removed", { since });
});
