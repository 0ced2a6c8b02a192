import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";
import { packedReader } from "./tools/packed-reader.ts";

// What files were compiled to, types stripped, is kept: each process that runs tests, and each program that a test starts,
// would do it again, which is most of a start.
process.env.NODE_COMPILE_CACHE ??= fileURLToPath(new URL(".cache/compiled", import.meta.url));

/** Suites by what they touch. `unit` is pure and takes seconds; `integration` runs real Postgres, broker and disk;
 *  the others need Debian packages and are called by name from tools/test.mjs. */
const suite = (name: string, include: string[], more: object = {}, plugins: Plugin[] = []) => ({
  plugins,
  test: { name, include, environment: "node" as const, setupFiles: ["tools/seed.ts"], ...more },
});

const depth = (path: string) => path.split("/").length;

/** The files of the virtual workstation follow each other by their names, those that share one machine last. */
class InOrder extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isShared = ({ project }: TestSpecification) => project.name === "workstation";
    const shared = sorted
      .filter(isShared)
      .sort(({ moduleId: a }, { moduleId: b }) => depth(a) - depth(b) || (a < b ? -1 : 1));
    return [...sorted.filter((file) => !isShared(file)), ...shared];
  }
}

const HV = "packages/hv-patches/test";
/** A build, and a boot that runs into its bound twice. */
const BOOTING = { testTimeout: 1_200_000, hookTimeout: 2_300_000, fileParallelism: false };

export default defineConfig({
  test: {
    sequence: { sequencer: InOrder },
    projects: [
      // property tests are quick alone and slow beside a build
      suite("unit", ["{apps,packages}/*/src/**/*.test.ts", "tools/**/*.test.ts"], { testTimeout: 60_000 }),
      suite(
        "integration",
        ["{apps,packages}/*/test/**/*.test.ts"],
        {
          exclude: ["packages/hv-patches/**", "packages/deb/**"],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          maxWorkers: 2,
          globalSetup: ["tools/packed-reader.ts"],
        },
        [packedReader()],
      ),
      // the series as text
      suite("hv", [`${HV}/{1-series,lock,sources,tree}.test.ts`], { testTimeout: 300_000, hookTimeout: 300_000 }),
      // Xen built and booted, always emulated: the processor of the machine below must not matter
      suite("boots", [`${HV}/{3-boots,4-command-line,qemu}.test.ts`], { ...BOOTING, env: { SALLYPORT_ACCEL: "tcg" } }),
      suite("builds", [`${HV}/2-builds.test.ts`], BOOTING),
      suite("proofs", [`${HV}/{5-selftest,6-more-boots}.test.ts`], BOOTING),
      suite("browser", ["e2e/browser/**/*.test.ts"], {
        testTimeout: 180_000,
        hookTimeout: 300_000,
        fileParallelism: false,
      }),
      suite("fleet", ["e2e/fleet/**/*.test.ts"], {
        testTimeout: 600_000,
        hookTimeout: 300_000,
        fileParallelism: false,
      }),
      // builds the Debian package and installs it in fresh Debian roots
      suite("package", ["packages/deb/test/**/*.test.ts"], {
        testTimeout: 600_000,
        hookTimeout: 900_000,
        fileParallelism: false,
      }),
      suite("newcomer", ["e2e/newcomer/**/*.test.ts"], {
        testTimeout: 900_000,
        hookTimeout: 900_000,
        fileParallelism: false,
      }),
      // one process for all files, and in it one machine for those of guarded/
      suite("workstation", ["e2e/workstation/**/*.test.ts"], { ...BOOTING, isolate: false }),
    ],
  },
});
