/** Runs once in the next process, before the first request. */
export async function register(): Promise<void> {
  if (process.env.NEXT_RUNTIME !== "nodejs") return;
  const { believeOnlyProxies } = await import("./person/forwarded.ts");
  believeOnlyProxies(process.env.SALLYPORT_TRUSTED_PROXIES);
}
