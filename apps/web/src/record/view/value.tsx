"use client";
/** A value of a record, and what a person does with one next: find it elsewhere, or take it along. */
import Link from "next/link";
import { Copy } from "../../ui/copy.tsx";
import { Untrusted } from "../../ui/untrusted.tsx";

const HASH = /^([0-9a-f]{32}|[0-9a-f]{64})$/;
/** Shorter ones are in every line, longer ones are lines. */
const SOUGHT_CHARS = { least: 3, most: 120 };

/** That it can be clicked is seen before it is tried. */
export const CLICKED =
  "text-left underline decoration-line-strong decoration-dotted underline-offset-3 hover:decoration-ink hover:decoration-solid [overflow-wrap:anywhere]";

type Props = {
  text: string;
  /** The record's own line, which is what a search looks at: what does not stand in it is not offered. */
  line: string | null;
  onFind: (text: string) => void;
};

export function Value({ text, line, onFind }: Props) {
  const isSought =
    text.length >= SOUGHT_CHARS.least &&
    text.length <= SOUGHT_CHARS.most &&
    (line?.toLowerCase().includes(text.toLowerCase()) ?? false);
  return (
    <span className="group/value">
      {HASH.test(text) ? (
        <Link href={`/usb?hash=${text}`} className={CLICKED} title="Where in the fleet was it seen?">
          {text}
        </Link>
      ) : isSought ? (
        <button type="button" className={CLICKED} title="Find it in all records" onClick={() => onFind(text)}>
          <Untrusted text={text} />
        </button>
      ) : (
        <Untrusted text={text} />
      )}
      <span className="absolute bg-panel opacity-0 group-focus-within/value:opacity-100 group-hover/value:opacity-100">
        <Copy text={text} />
      </span>
    </span>
  );
}
