/** What the hypervisor's tests share: Debian packages, or a sentence that names the missing ones, and a boot as tests. */
import { beforeAll, describe, expect, it } from "vitest";
import type { Facts } from "../tools/boot.ts";
import type { ProvingBoot } from "../tools/boots/facts.ts";
import { needsSentence } from "../tools/needs.ts";

/** Fails in CI. On a developer's machine it fails as well, and says how to go on: there is no quiet way past a proof. */
export async function needPackages(): Promise<void> {
  const sentence = await needsSentence();
  if (sentence !== undefined) throw new Error(sentence);
}

/** A boot each, and a test for each of its proofs. */
export function proveAll(boots: readonly ProvingBoot[]): void {
  for (const each of boots)
    describe(`boot ${each.name}`, () => {
      let facts: Facts;
      beforeAll(async () => {
        await needPackages();
        facts = await each.run();
      });
      for (const proof of each.proofs)
        it(proof.name, () => {
          expect(proof.against(facts)).toEqual([]);
        });
    });
}
