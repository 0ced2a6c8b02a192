import Link from "next/link";

/** At the head of a card that shows some: where all of them are. */
export const All = ({ href }: { href: string }) => (
  <Link href={href} className="text-ink-3 hover:text-ink hover:underline">
    all
  </Link>
);
