/** Where the kernel's USB is looked at: its own place, or a pretend one (sim/usb.ts). `modules`: what the kernel's modules
 *  say of themselves; the running kernel's in /lib/modules otherwise. */
export type UsbPlace = { sysfs: string; dev: string; modules?: string | undefined };
