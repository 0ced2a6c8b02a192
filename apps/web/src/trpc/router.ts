/** Every noun's router, under its name. */
import { alertRouter } from "../alert/router.ts";
import { approvalRouter } from "../approval/router.ts";
import { artifactRouter } from "../artifact/router.ts";
import { commandRouter } from "../command/router.ts";
import { denyRouter } from "../deny/router.ts";
import { destinationRouter } from "../destination/router.ts";
import { enrolRouter } from "../enrol/router.ts";
import { escrowRouter } from "../escrow/router.ts";
import { inForceRouter } from "../in-force/router.ts";
import { overviewRouter } from "../overview/router.ts";
import { personRouter } from "../person/router.ts";
import { tokenRouter } from "../person/token-router.ts";
import { policyRouter } from "../policy/router.ts";
import { quarantineRouter } from "../quarantine/router.ts";
import { recordRouter } from "../record/router.ts";
import { rolloutRouter } from "../rollout/router.ts";
import { trailRouter } from "../trail/router.ts";
import { usbRouter } from "../usb/router.ts";
import { workstationRouter } from "../workstation/router.ts";
import { router } from "./procedures.ts";

export const appRouter = router({
  alert: alertRouter,
  approval: approvalRouter,
  artifact: artifactRouter,
  command: commandRouter,
  deny: denyRouter,
  destination: destinationRouter,
  enrol: enrolRouter,
  escrow: escrowRouter,
  inForce: inForceRouter,
  overview: overviewRouter,
  person: personRouter,
  token: tokenRouter,
  policy: policyRouter,
  quarantine: quarantineRouter,
  record: recordRouter,
  rollout: rolloutRouter,
  trail: trailRouter,
  usb: usbRouter,
  workstation: workstationRouter,
});
export type AppRouter = typeof appRouter;
