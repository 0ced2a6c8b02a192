"use client";
import { Facts } from "../../ui/card.tsx";
/** The content as it was hashed, byte for byte, with what makes the hash. */
import { Copy, Hash } from "../../ui/copy.tsx";
import { Untrusted } from "../../ui/untrusted.tsx";
import type { RecordFull } from "../store.ts";

const SHOWN_CHARS = 20_000;

export function RawTab({ record }: { record: RecordFull }) {
  return (
    <div className="grid gap-4">
      <Facts
        names={92}
        rows={[
          ["commitment", <Hash key="c" text={record.contentHash} ends={10} />],
          ["salt", record.salt ? <Hash key="s" text={record.salt} ends={10} /> : "not here"],
        ]}
      />
      {record.content !== null && (
        <section>
          <div className="mb-2 flex justify-between">
            <h2>Content, canonical JSON</h2>
            <Copy text={record.content} />
          </div>
          <pre className="mono rounded-[8px] border border-line bg-sunk p-2.5 whitespace-pre-wrap [overflow-wrap:anywhere]">
            <Untrusted text={record.content.slice(0, SHOWN_CHARS)} />
            {record.content.length > SHOWN_CHARS && (
              <span className="text-ink-3">
                {" "}
                … {record.content.length - SHOWN_CHARS} characters more; Copy takes all
              </span>
            )}
          </pre>
        </section>
      )}
    </div>
  );
}
