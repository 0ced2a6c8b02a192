"use client";
import { escapeForDisplay } from "@sallyport/shared/base/escape.ts";
import { useState } from "react";
import { useMay } from "../../overview/view/shell.tsx";
import { Button, type Look } from "../../ui/button.tsx";
import { Untrusted } from "../../ui/untrusted.tsx";
import { offersOf, offerWords } from "../offers.ts";
import { AskDeny } from "./ask.tsx";

/** Nothing for those who may not. */
export function BlockButton({ what, look = "plain", title }: { what?: string; look?: Look; title?: string }) {
  const [open, setOpen] = useState(false);
  if (!useMay("deny")) return null;
  return (
    <>
      <Button look={look} title={title} onClick={() => setOpen(true)}>
        {what === undefined ? "Block something…" : "Block this everywhere…"}
      </Button>
      {open && <AskDeny {...(what !== undefined && { first: what })} onClose={() => setOpen(false)} />}
    </>
  );
}

/** What of a record can be blocked, each with its button. */
export function BlockOffers({ kind, body }: { kind: string; body: unknown }) {
  const offers = offersOf(kind, body);
  if (!useMay("deny") || offers.length === 0) return null;
  return (
    <section aria-label="Block" className="grid grid-cols-[minmax(0,1fr)] gap-1.5">
      {offers.map((offer) => (
        <div key={offer.what} className="flex items-baseline gap-2">
          <p
            className="min-w-0 flex-1 truncate text-ink-2"
            title={escapeForDisplay(`${offer.about}: ${offerWords(offer)}`)}
          >
            <Untrusted text={offer.about} />{" "}
            <span className="mono text-ink-3">
              <Untrusted text={offerWords(offer)} />
            </span>
          </p>
          <span className="shrink-0">
            <BlockButton what={offer.what} />
          </span>
        </div>
      ))}
    </section>
  );
}
