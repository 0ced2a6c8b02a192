/** Promise: a key of the guest's volume is held by the machine's TPM2, so that it opens with no pass phrase where nothing was
 *  changed, and the console knows. */
import { expect, it } from "vitest";
import { useGuarded } from "./boot.ts";

const VOLUME = "/dev/disk/by-id/virtio-primary";

const at = useGuarded();

it("the TPM2 that dom0 sees under Xen holds a key of the volume, which opens by it, and the token is reported", async () => {
  const { workstation, record } = at();
  const { dom0 } = workstation;
  const opens = `cryptsetup open --test-passphrase --token-only ${VOLUME} && echo opens || echo closed`;
  await dom0.run("modprobe tpm_tis && [ -c /dev/tpmrm0 ]");
  expect(await dom0.run(opens)).toBe("closed\n");
  const since = new Date();
  const enrol = `sallyport-agent disk tpm ${VOLUME} --key-file /etc/workstation/primary.key`;
  // no boot loader measured this kernel: what nobody measures binds nothing, and is no key
  await expect(dom0.run(enrol)).rejects.toThrow(/Nothing was ever measured into PCR 8/);
  expect(await dom0.run(opens)).toBe("closed\n");
  expect(await dom0.run(`${enrol} --pcrs 4+7`)).toContain("is held by this machine's TPM2");
  expect(await dom0.run(opens)).toBe("opens\n");
  const holds = ({ body }: { body: { content: { tokens?: { type: string }[] } } }) =>
    body.content.tokens?.some(({ type }) => type === "systemd-tpm2") ?? false;
  const state = await record("disk.state", { since, fits: holds });
  expect(state.body).toMatchObject({ tpm: "present" });
  expect(state.body.content.slots).toHaveLength(2);
});
