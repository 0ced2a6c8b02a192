/** The machine's TPM2, and what its registers say. What a key is bound to is worth what was measured into it. */
import type { Dom0 } from "./dom0.ts";

/** `device` as systemd-cryptenroll takes it. */
export type Tpm = {
  device: string;
  isThere(): Promise<boolean>;
  /** A PCR of the SHA-256 bank, in hex; nothing where it cannot be read. */
  pcr(index: number): Promise<string | undefined>;
};

const FOLDER = "/sys/class/tpm";

export const systemTpm = (dom0: Pick<Dom0, "list" | "readText">): Tpm => ({
  device: "auto",
  isThere: async () => ((await dom0.list(FOLDER).catch(() => undefined)) ?? []).length > 0,
  // Documentation/ABI/stable/sysfs-class-tpm, since Linux 5.12
  pcr: async (index) => (await dom0.readText(`${FOLDER}/tpm0/pcr-sha256/${index}`, 128).catch(() => undefined))?.trim(),
});

/** What a register says that nothing was ever measured into: zeros, or ones where only a late launch measures. */
export const isUntouched = (pcr: string): boolean => /^(?:0+|[fF]+)$/.test(pcr);

/** A machine that boots Xen by GRUB and UEFI: the loaders themselves (4), Secure Boot's state (7), GRUB's commands with the
 *  command lines of Xen and dom0's kernel (8), and every file that GRUB reads, those two and the initrd among them (9). */
export const PCRS_FIRST = [4, 7, 8, 9];
