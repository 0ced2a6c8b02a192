/** Where an alert leads that no record raised: its key names what it is about. Pure. */
import { quarantineOf } from "../quarantine/words.ts";

export type About = { href: string; words: string };

const UUID = "[0-9a-f-]{36}";
const LEADS: readonly [RegExp, (id: string) => About][] = [
  [new RegExp(`^rollout/(${UUID})/`), (id) => ({ href: `/rollouts/${id}`, words: "The rollout, and what stopped it" })],
  [
    new RegExp(`^delivery/(${UUID})/`),
    (id) => ({ href: `/destinations?open=${id}`, words: "The destination, and why nothing arrives" }),
  ],
];

export function aboutOf(alertKey: string): About | null {
  const refused = quarantineOf(alertKey);
  if (refused) return { href: refused, words: "What was refused, in quarantine" };
  for (const [key, lead] of LEADS) {
    const id = key.exec(alertKey)?.[1];
    if (id !== undefined) return lead(id);
  }
  return null;
}
