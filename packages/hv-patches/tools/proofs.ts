/** The boots and what each of them proves: data for `npm run hv -- boot` and for the tests alike. */
import { again } from "./boots/again.ts";
import { control } from "./boots/control.ts";
import { devices } from "./boots/devices.ts";
import type { ProvingBoot } from "./boots/facts.ts";
import { main } from "./boots/main.ts";
import { grub, uefi } from "./boots/routes.ts";
import { absent, unpatched } from "./boots/without.ts";

/** Those of every `npm test`: one build serves them all, and none failed since they have their form, on a busy machine either. */
export const EVERY_TIME: readonly ProvingBoot[] = [main, again, devices, uefi];
/** Those that run when asked for, because each needs a build of its own or repeats another one by another loader. */
export const WHEN_ASKED: readonly ProvingBoot[] = [unpatched, absent, control, grub];
export const BOOTS: readonly ProvingBoot[] = [...EVERY_TIME, ...WHEN_ASKED];
