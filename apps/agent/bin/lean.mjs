/** What a Node that stays running in dom0 is started with: small spaces for what is young, and no TurboFan, whose code
 *  alone is 6 MB. The bound on what is old leaves room for the manifest of as many files as policy takes by itself (200,000: 140 MB of
 *  heap and some 380 MB in all, while it is judged); it is not used until then.
 *  packages/deb/debian/sallyport-agent.sh says the same in shell. */
export const LEAN = ["--max-old-space-size=512", "--max-semi-space-size=2", "--max-opt=2", "--v8-pool-size=1"];
/** One malloc arena: each thread's own would keep what it once freed. */
export const LEAN_ENV = { MALLOC_ARENA_MAX: "1" };
