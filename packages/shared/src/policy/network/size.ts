/** How much a section may speak of: what the schema allows one list may have is, all lists together, more than a workstation
 *  loads. Asked where a policy is taken in and where it is applied, and not by the schema: what was taken in before stays
 *  readable. Pure. */
import type { NetworkSection } from "../network.ts";

/** Written in `to` and `addresses` of all rules. With these, and as many as names may have, an agent's table takes half of the
 *  memory that it has, and the kernel loads it in seconds. */
export const ADDRESSES_WRITTEN_MAX = 32_768;
/** Each becomes up to fifteen spans (windows.ts), in up to four lines. */
export const WINDOWS_WRITTEN_MAX = 2_000;

/** What is too much, and what to cut; nothing where all of it fits. */
export function tooMuch({ rules }: NetworkSection): string[] {
  const sum = (of: (rule: NetworkSection["rules"][number]) => number) => rules.reduce((all, rule) => all + of(rule), 0);
  const addresses = sum(({ to, addresses = [] }) => (to === undefined ? 0 : 1) + addresses.length);
  const windows = sum(({ during = [] }) => during.length);
  const beyond = (count: number, what: string, most: number) =>
    `${count} ${what} in all rules together, and no workstation loads more than ${most}`;
  return [
    ...(addresses > ADDRESSES_WRITTEN_MAX
      ? [
          `${beyond(addresses, "addresses", ADDRESSES_WRITTEN_MAX)}: write prefixes for what lies side by side, and one rule for those that repeat the same list`,
        ]
      : []),
    ...(windows > WINDOWS_WRITTEN_MAX
      ? [
          `${beyond(windows, "windows of time (during)", WINDOWS_WRITTEN_MAX)}: name several days in one window, and make one rule of those with the same times`,
        ]
      : []),
  ];
}
