/** What every hypervisor test needs first: the Debian packages, or a sentence that names the missing ones. */
import { needsSentence } from "../tools/needs.ts";

/** Fails in CI. On a developer's machine it fails as well, and says how to go on: there is no quiet way past a proof. */
export async function needPackages(): Promise<void> {
  const sentence = await needsSentence();
  if (sentence !== undefined) throw new Error(sentence);
}
