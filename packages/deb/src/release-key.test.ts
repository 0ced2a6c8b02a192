import { expect, it } from "vitest";
import { endInWords, keysIn } from "./release-key.ts";

const ONE = `sec:u:255:22:4023FA89ED179B0A:1796029021:::u:::scSC:::+::ed25519:::0:
fpr:::::::::50FDB16B4488E7AABC90F61C4023FA89ED179B0A:
grp:::::::::BBD83D918D31E92BACB5ECF7FF03B229968268E2:
uid:u::::1796029021::1AD2A779D6EB3A95B3668BFE35429EBD7AF7EEF1::r@example.org::::::::::0:
`;
const ENDING = ONE.replace("1796029021:::u", "1796029021:1859100877::u");
/** A primary key that only certifies, with one below it that signs, and one that did. */
const BELOW = `sec:u:255:22:7949D8FDC138936A:1796029021:1827565021::u:::cSC:::+::ed25519:::0:
fpr:::::::::0E09D4796742A4978E5B99F57949D8FDC138936A:
ssb:u:255:22:D9643FCF68F4FCF1:1796029021:1811581021:::::s:::+::ed25519::
fpr:::::::::7DBA0DE5824A233CC9EFCCAAD9643FCF68F4FCF1:
ssb:e:255:22:D9643FCF68F4FCF2:1796029021:1801581021:::::s:::+::ed25519::
fpr:::::::::7DBA0DE5824A233CC9EFCCAAD9643FCF68F4FCF2:
`;
const FINGERPRINT = "50FDB16B4488E7AABC90F61C4023FA89ED179B0A";

it("a key is its primary's fingerprint, and ends when it can sign no more", () => {
  expect(keysIn(ONE)).toEqual([{ fingerprint: FINGERPRINT }]);
  expect(keysIn(ENDING)).toEqual([{ fingerprint: FINGERPRINT, ends: new Date(1_859_100_877_000) }]);
  const below = { fingerprint: "0E09D4796742A4978E5B99F57949D8FDC138936A", ends: new Date(1_811_581_021_000) };
  expect(keysIn(BELOW)).toEqual([below]);
  expect(keysIn(ENDING + BELOW)).toHaveLength(2);
});

it("whoever builds is told the day from which no upgrade is taken, and refused after it", () => {
  const [endless, ending] = [keysIn(ONE)[0]!, keysIn(ENDING)[0]!];
  expect(endInWords(endless, new Date())).toBeUndefined();
  expect(endInWords(ending, new Date("2028-11-28"))).toContain("ends on 2028-11-29. From then on workstations take no");
  expect(() => endInWords(ending, new Date("2028-11-30"))).toThrow("ended on 2028-11-29: workstations take nothing");
});
