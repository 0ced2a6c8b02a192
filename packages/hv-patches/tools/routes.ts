/** The ways from power-on to Xen: QEMU's own multiboot loader, UEFI, and GRUB from a CD by either of its protocols. */
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

/** By `multiboot` Xen is put where it was linked for, and moves itself to the mark; by `multiboot2` GRUB, and by UEFI
 *  the firmware, puts it high, and there it stays. */
export type Route = "kernel" | "uefi" | "grub" | "grub2";
const PROTOCOLS = {
  grub: { xen: "multiboot", module: "module" },
  grub2: { xen: "multiboot2", module: "module2" },
} as const;

export async function routeArgs(route: Route, parts: Parts): Promise<string[]> {
  if (route === "uefi") return uefi(parts);
  if (route !== "kernel") return ["-cdrom", await grubCd(route, parts), "-boot", "d"];
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
  return [
    ...uefiFirmware(from),
    ...["-drive", "file=fat:esp,format=raw,if=none,id=esp,readonly=on"],
    ...["-device", "virtio-blk-pci,drive=esp,bootindex=1"],
  ];
}

/** OVMF as Debian has it; what it writes to its variables is forgotten. */
export function uefiFirmware({ tree }: Root): string[] {
  const folder = path.join(tree, "usr/share/OVMF");
  return [
    ...["-drive", `if=pflash,format=raw,readonly=on,file=${folder}/OVMF_CODE_4M.fd`],
    ...["-drive", `if=pflash,format=raw,snapshot=on,file=${folder}/OVMF_VARS_4M.fd`],
  ];
}

async function grubCd(route: keyof typeof PROTOCOLS, { folder, kernel, xen, options, dom0 }: Parts): Promise<string> {
  const tree = path.join(folder, "cd");
  await rm(tree, { recursive: true, force: true });
  await mkdir(path.join(tree, "boot/grub"), { recursive: true });
  await copyFile(xen.xen, path.join(tree, "boot/xen"));
  await copyFile(kernel.image, path.join(tree, "boot/vmlinuz"));
  await copyFile(path.join(folder, "dom0.cpio"), path.join(tree, "boot/dom0.cpio"));
  await writeFile(
    path.join(tree, "boot/grub/grub.cfg"),
    `set timeout=0\nmenuentry "Xen" {\n${grubLoad(route, options, dom0)}}\n`,
  );
  const image = path.join(folder, "grub.iso");
  await run("grub-mkrescue", ["-o", image, tree]);
  return image;
}

/** Words with parentheses are syntax to GRUB unless quoted. */
const grubWords = (line: string) => line.replaceAll(/\S*[()]\S*/g, (word) => `'${word}'`);

/** The body of a menu entry: Xen, dom0's kernel and its initramfs, from `/boot`. */
export function grubLoad(route: keyof typeof PROTOCOLS, options: string, dom0: string): string {
  const { xen, module } = PROTOCOLS[route];
  return `  ${xen} /boot/xen ${options}
  ${module} /boot/vmlinuz ${grubWords(dom0)}
  ${module} /boot/dom0.cpio
`;
}
