"use client";
/** Hands the page's nonce to the scroll lock of open dialogs, which writes a style sheet of its own and looks for the
 *  nonce under this global name. */
import { useLayoutEffect } from "react";

const holder = globalThis as typeof globalThis & { __webpack_nonce__?: string };

export function Nonce({ nonce }: { nonce: string }) {
  useLayoutEffect(() => {
    holder.__webpack_nonce__ = nonce;
  }, [nonce]);
  return null;
}
