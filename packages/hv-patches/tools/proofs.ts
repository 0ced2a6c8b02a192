/** The boots and what each of them proves: data for `npm run hv -- boot` and for the tests alike. */
import { again } from "./boots/again.ts";
import { control } from "./boots/control.ts";
import { devices } from "./boots/devices.ts";
import type { ProvingBoot } from "./boots/facts.ts";
import { main } from "./boots/main.ts";
import { grub, grub2, uefi } from "./boots/routes.ts";
import { absent, unpatched } from "./boots/without.ts";

/** The suite `boots`: one release build serves them all. */
export const ONE_BUILD: readonly ProvingBoot[] = [main, again, devices, uefi];
/** In the suite `proofs`: each needs another build or repeats a boot by another loader. */
export const MORE_BUILDS: readonly ProvingBoot[] = [unpatched, absent, control, grub, grub2];
export const BOOTS: readonly ProvingBoot[] = [...ONE_BUILD, ...MORE_BUILDS];
