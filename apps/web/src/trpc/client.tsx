"use client";
/** Pages → routers. */
import { MutationCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import {
  createTRPCClient,
  httpBatchLink,
  httpLink,
  httpSubscriptionLink,
  splitLink,
  TRPCClientError,
} from "@trpc/client";
import { createTRPCContext } from "@trpc/tanstack-react-query";
import { type ReactNode, useState } from "react";
import { BATCH_CALLS_MAX } from "./bounds.ts";
import type { AppRouter } from "./router.ts";

const context = createTRPCContext<AppRouter>();
export const useApi = context.useTRPC;
export const useApiClient = context.useTRPCClient;

const RETRIES_MAX = 2;
/** Others are before it: it is answered a moment later. */
const TOO_MANY = 429;
const URL_CHARS_MAX = 8000;

/** Of a query that takes longer than others: they are not answered together, and so do not wait for it. */
export const ALONE = { trpc: { context: { alone: true } } } as const;

function mayRetry(failures: number, error: Error): boolean {
  const status = error instanceof TRPCClientError ? (error.data?.httpStatus as number | undefined) : undefined;
  return failures < RETRIES_MAX && (status === undefined || status >= 500 || status === TOO_MANY);
}

export function ApiProvider({ children }: { children: ReactNode }) {
  const [queryClient] = useState(() => {
    const made: QueryClient = new QueryClient({
      defaultOptions: { queries: { retry: mayRetry, staleTime: 5_000, refetchOnWindowFocus: true } },
      // any change may show on any page; pages are few and their queries cheap
      mutationCache: new MutationCache({ onSuccess: () => void made.invalidateQueries() }),
    });
    return made;
  });
  const [client] = useState(() =>
    createTRPCClient<AppRouter>({
      links: [
        splitLink({
          condition: ({ type }) => type === "subscription",
          true: httpSubscriptionLink({ url: "/api/trpc" }),
          false: splitLink({
            condition: ({ context }) => context.alone === true,
            true: httpLink({ url: "/api/trpc" }),
            false: httpBatchLink({ url: "/api/trpc", maxURLLength: URL_CHARS_MAX, maxItems: BATCH_CALLS_MAX }),
          }),
        }),
      ],
    }),
  );
  return (
    <QueryClientProvider client={queryClient}>
      <context.TRPCProvider trpcClient={client} queryClient={queryClient}>
        {children}
      </context.TRPCProvider>
    </QueryClientProvider>
  );
}
