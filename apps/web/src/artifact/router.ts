/** Artifacts for the page; a file itself goes to /api/artifact, which streams. */
import { Sha256 } from "@sallyport/shared/base/ids.ts";
import { z } from "zod";
import { allowed, router } from "../trpc/procedures.ts";
import { withRemoval } from "./respond.ts";
import { listArtifacts, listMissing } from "./store.ts";

export const artifactRouter = router({
  list: allowed("entries").query(({ ctx }) => listArtifacts(ctx.wiring.pool)),

  missing: allowed("entries").query(({ ctx }) => listMissing(ctx.wiring.pool)),

  remove: allowed("policy")
    .input(z.object({ sha256: Sha256 }))
    .mutation(({ ctx, input }) => withRemoval(ctx.wiring, ctx.actor, ctx.origin, input.sha256)),
});
