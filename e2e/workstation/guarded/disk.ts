/** Promise: the volume that was opened at boot is reported, and an order destroys its header for good. */
import { expect, it } from "vitest";
import { type Guarded, until } from "./guarded.ts";

const VOLUME = "/dev/disk/by-id/virtio-primary";

export function diskPromises(at: () => Guarded): void {
  it("the open LUKS volume is on the console: cipher, keys, and that it is open", async () => {
    const state = await at().record("disk.state", { since: new Date(0) });
    expect(state.body.content).toMatchObject({ is: "luks2", cipher: "aes-xts-plain64", open: true });
    expect(state.body.content.slots).toEqual([expect.objectContaining({ slot: 0 })]);
    expect((await at().reported())?.sections.disk).toMatchObject({ outcome: "applied" });
  });

  /** The last promise: the guest does not survive it. */
  it("a wipe leaves nothing that opens it, and says what the header was before and after", async () => {
    const { workstation, api, id, record } = at();
    const { dom0 } = workstation;
    const uuid = (await dom0.run(`cryptsetup luksUUID ${VOLUME}`)).trim();
    await dom0.run(`head -c 16777216 ${VOLUME} > /run/header-before`);
    const before = (await dom0.run("sha256sum /run/header-before")).split(" ")[0];
    const since = new Date();
    const order = { verb: "wipe" as const, arguments: { volume: uuid }, minutes: 30, reason: "its owner has left" };
    await api.command.send.mutate({ workstation: id, name: "desk", ...order });
    const wiped = await record("disk.wiped", { since });
    expect(wiped.body).toMatchObject({ volume: uuid, before, whole: true, areaBytes: 16_777_216 });
    const after = (await dom0.run(`head -c 16777216 ${VOLUME} | sha256sum`)).split(" ")[0];
    expect(wiped.body.after).toBe(after);
    expect(after).not.toBe(before);
    expect(await dom0.run(`cryptsetup isLuks ${VOLUME} && echo still || echo gone`)).toBe("gone\n");
    // it was in use: what the guest reads from now on is an error
    const read = "dd if=/dev/mapper/primary of=/dev/null bs=4096 count=1 iflag=direct 2>&1 || true";
    expect(await dom0.run(read)).toMatch(/Input\/output error|No such file/);
    const done = await until(async () => {
      const rows = await api.command.list.query({ workstation: id });
      return rows.find(({ verb, state }) => verb === "wipe" && state.state !== "sent" && state.state !== "received");
    }, "the order's end");
    expect(done.state.state).toBe("done");
  });
}
