"use client";
import { Dialog as Radix } from "radix-ui";
import type { ReactNode } from "react";

type Props = {
  open: boolean;
  onClose: () => void;
  title: string;
  description?: ReactNode;
  children?: ReactNode;
  width?: number;
};

/** Not `modal`: Radix would lock scrolling through a style sheet of its own, which our policy refuses. The ground is
 *  ours, focus is kept inside by Radix all the same. */
export function Dialog({ open, onClose, title, description, children, width = 440 }: Props) {
  return (
    <Radix.Root open={open} onOpenChange={(next) => !next && onClose()} modal={false}>
      <Radix.Portal>
        {open && <div aria-hidden className="fixed inset-0 z-40 bg-black/35" />}
        <Radix.Content
          onInteractOutside={(event) => event.preventDefault()}
          className="fixed top-[12vh] left-1/2 z-50 max-h-[76vh] w-[calc(100vw-32px)] -translate-x-1/2 overflow-auto rounded-[10px] border border-line bg-panel p-5"
          style={{ maxWidth: width, boxShadow: "var(--shadow)" }}
          {...(description ? {} : { "aria-describedby": undefined })}
        >
          <Radix.Title className="text-lg font-semibold tracking-[-0.01em]">{title}</Radix.Title>
          {description && <Radix.Description className="mt-1 text-ink-2">{description}</Radix.Description>}
          <div className="mt-4">{children}</div>
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}
