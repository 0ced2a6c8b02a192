// What a bench printed → what docs/benchmarks.md keeps of it.

/** What a bench says for people: all but the JSON, how far it is (…), and what Node has against a package. */
export function wordsOf(output) {
  return output
    .split("\n")
    .filter((line) => !/^(?:[{…]|\(node:\d+\) |\(Use `node --trace)/.test(line))
    .join("\n")
    .trim();
}
