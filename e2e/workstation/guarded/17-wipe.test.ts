/** Promise: the volume that was opened at boot is reported, and two persons destroy it for good: neither can alone. */
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, it } from "vitest";
import { useGuarded } from "./boot.ts";
import { HEADER_COPY, until } from "./guarded.ts";
import { commandLine, setApprovers, sign } from "./persons.ts";

const VOLUME = "/dev/disk/by-id/virtio-primary";
const AREA_BYTES = 16_777_216;
const STATE = "/var/lib/sallyport-agent";

const at = useGuarded();

it("the open LUKS volume is on the console: cipher, keys, and that it is open", async () => {
  const state = await at().record("disk.state", { since: new Date(0) });
  expect(state.body.content).toMatchObject({ is: "luks2", cipher: "aes-xts-plain64", open: true });
  expect(state.body.content.slots).toEqual([expect.objectContaining({ slot: 0 })]);
  expect((await at().reported())?.sections.disk).toMatchObject({ outcome: "applied" });
});

/** The last promise: the guest does not survive it. */
it("one person's signature wipes nothing; with the second nothing is left that opens it, nor a copy, nor the escrow", async () => {
  const { workstation, api, id, record } = at();
  const { dom0 } = workstation;
  const cli = await commandLine(at());
  const uuid = (await dom0.run(`cryptsetup luksUUID ${VOLUME}`)).trim();

  // a recovery key that the organisation alone can read, in a slot of its own; and a copy of the header
  const organisation = JSON.parse(await cli("disk", "key", "organisation.pem", "--json")) as { publicKey: string };
  const asked = new Date();
  await dom0.run(
    `sallyport-agent disk recovery ${VOLUME} --key-file /etc/workstation/primary.key --recovery-to ${organisation.publicKey} --weak-stretch`,
  );
  const { body } = await record("disk.recovery", { since: asked });
  await writeFile(path.join(workstation.folder, "recovery.json"), JSON.stringify(body));
  const unsealed = await cli("disk", "unseal", "recovery.json", "--key", "organisation.pem", "--json");
  const { recoveryKey } = JSON.parse(unsealed) as { recoveryKey: string };
  await dom0.run("cat > /run/recovery.key", { input: recoveryKey });
  await dom0.run(`cryptsetup luksHeaderBackup --header-backup-file ${HEADER_COPY} ${VOLUME}`);
  const escrow = `${STATE}/recovery-${uuid}-*.json`;
  expect(await dom0.run(`ls ${HEADER_COPY} ${escrow} | wc -l`)).toBe("2\n");
  const opens = () =>
    dom0.run(`cryptsetup open --test-passphrase --key-file /run/recovery.key ${VOLUME} && echo opens || echo closed`);
  expect(await opens()).toBe("opens\n");
  const head = `head -c ${AREA_BYTES} ${VOLUME} | sha256sum`;
  const before = (await dom0.run(head)).split(" ")[0];

  await setApprovers(at(), cli, ["anna", "ben"]);
  const since = new Date();
  const order = { verb: "wipe" as const, arguments: { volume: uuid }, minutes: 60, reason: "its owner has left" };
  const { waiting } = await api.command.send.mutate({ workstation: id, name: "desk", ...order });
  const proposal = waiting!.id;
  expect(await sign(cli, proposal, "anna")).toMatchObject({ state: "waiting", missing: 1 });
  const wipes = async () =>
    (await api.command.list.query({ workstation: id })).rows.filter(({ verb }) => verb === "wipe");
  expect(await wipes()).toEqual([]);
  expect((await dom0.run(head)).split(" ")[0]).toBe(before);
  expect(await sign(cli, proposal, "ben")).toMatchObject({ missing: 0 });

  const wiped = await record("disk.wiped", { since });
  expect(wiped.body).toMatchObject({ volume: uuid, before, whole: true, areaBytes: AREA_BYTES });
  expect(wiped.body.escrow).toHaveLength(1);
  expect(wiped.body.parts).toContainEqual({ what: "the open volume primary", outcome: "gone" });
  const after = (await dom0.run(head)).split(" ")[0];
  expect(wiped.body.after).toBe(after);
  expect(after).not.toBe(before);
  expect(await dom0.run(`cryptsetup isLuks ${VOLUME} && echo still || echo gone`)).toBe("gone\n");
  expect(await opens()).toBe("closed\n");
  expect(await dom0.run(`ls ${HEADER_COPY} ${escrow} 2> /dev/null || true`)).toBe("");
  // it was in use: what the guest reads from now on is an error
  const read = "dd if=/dev/mapper/primary of=/dev/null bs=4096 count=1 iflag=direct 2>&1 || true";
  expect(await dom0.run(read)).toMatch(/Input\/output error|No such file/);
  const done = await until(async () => {
    const [row] = await wipes();
    return row && row.state.state !== "sent" && row.state.state !== "received" && row;
  }, "the order's end");
  expect(done.state.state).toBe("done");
});
