import { policyJsonSchema } from "@sallyport/shared/policy/policy.ts";

export const dynamic = "force-static";

/** For editors, at an address that stays (docs/operations.md). */
export const GET = (): Response =>
  new Response(`${JSON.stringify(policyJsonSchema(), null, 2)}\n`, {
    headers: { "content-type": "application/schema+json; charset=utf-8" },
  });
