/** The boots and what each of them proves: data for `npm run hv -- boot` and for the tests alike. */
import { again } from "./boots/again.ts";
import { control } from "./boots/control.ts";
import { devices } from "./boots/devices.ts";
import type { ProvingBoot } from "./boots/facts.ts";
import { main } from "./boots/main.ts";
import { grub, uefi } from "./boots/routes.ts";
import { absent, unpatched } from "./boots/without.ts";

export const BOOTS: readonly ProvingBoot[] = [main, again, control, devices, uefi, grub, unpatched, absent];
