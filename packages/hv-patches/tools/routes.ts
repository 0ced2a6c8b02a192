/** The ways from power-on to Xen: QEMU's own multiboot loader, UEFI, and GRUB (multiboot2) from a CD. */
import { copyFile, mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import type { Root } from "./debian.ts";
import type { Kernel } from "./initramfs.ts";
import { run } from "./run.ts";

export type Parts = {
  from: Root;
  folder: string;
  kernel: Kernel;
  xen: { xen: string; efi: string | undefined };
  options: string;
  dom0: string;
};

export async function routeArgs(route: "kernel" | "uefi" | "grub", parts: Parts): Promise<string[]> {
  if (route === "uefi") return uefi(parts);
  if (route === "grub") return ["-cdrom", await grubCd(parts), "-boot", "d"];
  // QEMU's multiboot loader: modules separated by commas, each with its command line; a comma in it is doubled.
  const module = `${parts.kernel.image} ${parts.dom0.replaceAll(",", ",,")}`;
  return ["-kernel", parts.xen.xen, "-append", parts.options, "-initrd", `${module},${parts.folder}/dom0.cpio`];
}

async function uefi({ from, folder, kernel, xen, options, dom0 }: Parts): Promise<string[]> {
  if (!xen.efi) throw new Error("this build of Xen has no xen.efi: the linker of this machine cannot make one");
  const esp = path.join(folder, "esp");
  await rm(esp, { recursive: true, force: true });
  await mkdir(path.join(esp, "EFI/BOOT"), { recursive: true });
  await copyFile(xen.efi, path.join(esp, "EFI/BOOT/BOOTX64.EFI"));
  await copyFile(kernel.image, path.join(esp, "EFI/BOOT/vmlinuz"));
  await copyFile(path.join(folder, "dom0.cpio"), path.join(esp, "EFI/BOOT/dom0.cpio"));
  const sections = [`[global]\ndefault=xen\n[xen]\noptions=${options}`, `kernel=vmlinuz ${dom0}`, "ramdisk=dom0.cpio"];
  await writeFile(path.join(esp, "EFI/BOOT/BOOTX64.cfg"), `${sections.join("\n")}\n`);
  const firmware = path.join(from.tree, "usr/share/OVMF");
  return [
    ...["-drive", `if=pflash,format=raw,readonly=on,file=${firmware}/OVMF_CODE_4M.fd`],
    ...["-drive", `if=pflash,format=raw,snapshot=on,file=${firmware}/OVMF_VARS_4M.fd`],
    ...["-drive", "file=fat:esp,format=raw,if=none,id=esp,readonly=on"],
    ...["-device", "virtio-blk-pci,drive=esp,bootindex=1"],
  ];
}

async function grubCd({ folder, kernel, xen, options, dom0 }: Parts): Promise<string> {
  const tree = path.join(folder, "cd");
  await rm(tree, { recursive: true, force: true });
  await mkdir(path.join(tree, "boot/grub"), { recursive: true });
  await copyFile(xen.xen, path.join(tree, "boot/xen"));
  await copyFile(kernel.image, path.join(tree, "boot/vmlinuz"));
  await copyFile(path.join(folder, "dom0.cpio"), path.join(tree, "boot/dom0.cpio"));
  await writeFile(path.join(tree, "boot/grub/grub.cfg"), grubConfig(options, dom0));
  const image = path.join(folder, "grub.iso");
  await run("grub-mkrescue", ["-o", image, tree]);
  return image;
}

/** Words with parentheses are syntax to GRUB unless quoted. */
export const grubWords = (line: string) => line.replaceAll(/\S*[()]\S*/g, (word) => `'${word}'`);

export const grubConfig = (options: string, dom0: string) => `set timeout=0
menuentry "Xen" {
  multiboot2 /boot/xen ${options}
  module2 /boot/vmlinuz ${grubWords(dom0)}
  module2 /boot/dom0.cpio
}
`;
