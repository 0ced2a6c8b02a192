/** Who this workstation is to those who sign for it, as enrolment said. */
import type { GroupId, WorkstationId } from "@sallyport/shared/base/ids.ts";

export type Self = { workstation: WorkstationId; group: GroupId; consoleKeys: readonly string[] };
