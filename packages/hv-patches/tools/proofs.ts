/** The boots and what each of them proves: data for `npm run hv -- boot` and for the tests alike. */
import { again } from "./boots/again.ts";
import { control } from "./boots/control.ts";
import { devices } from "./boots/devices.ts";
import type { ProvingBoot } from "./boots/facts.ts";
import { main } from "./boots/main.ts";
import { grub, uefi } from "./boots/routes.ts";
import { absent, unpatched } from "./boots/without.ts";

/** Those of every `npm test`: quick, and passed under load as often as they were tried. */
export const EVERY_TIME: readonly ProvingBoot[] = [main, again, devices, uefi, unpatched, absent];
/** Those that run when asked for: `control` needs a second, slow build; `grub` repeats `uefi` by another loader. */
export const WHEN_ASKED: readonly ProvingBoot[] = [control, grub];
export const BOOTS: readonly ProvingBoot[] = [...EVERY_TIME, ...WHEN_ASKED];
