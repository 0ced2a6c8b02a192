import { fetchRequestHandler } from "@trpc/server/adapters/fetch";
import { BATCH_CALLS_MAX } from "../../../../trpc/bounds.ts";
import { makeContext } from "../../../../trpc/context.ts";
import { refuseForeign } from "../../../../trpc/foreign.ts";
import { appRouter } from "../../../../trpc/router.ts";

const handler = (request: Request): Response | Promise<Response> =>
  refuseForeign(request) ??
  fetchRequestHandler({
    endpoint: "/api/trpc",
    req: request,
    router: appRouter,
    maxBatchSize: BATCH_CALLS_MAX,
    createContext: () => makeContext(request),
    onError: ({ error, path }) => {
      if (error.code !== "INTERNAL_SERVER_ERROR") return;
      const cause = error.cause instanceof Error ? (error.cause.stack ?? error.cause.message) : String(error.cause);
      console.error(JSON.stringify({ event: "trpc.failed", path, reason: error.message, cause }));
    },
  });

export { handler as GET, handler as POST };
