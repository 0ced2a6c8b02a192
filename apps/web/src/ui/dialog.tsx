"use client";
import { Dialog as Radix } from "radix-ui";
import type { ReactNode } from "react";
import { Button } from "./button.tsx";

type Props = {
  open: boolean;
  onClose: () => void;
  title: string;
  description?: ReactNode;
  children?: ReactNode;
  width?: number;
};

/** Focus stays inside until it is closed; Esc closes it. */
export function Dialog({ open, onClose, title, description, children, width = 440 }: Props) {
  return (
    <Radix.Root open={open} onOpenChange={(next) => !next && onClose()}>
      <Radix.Portal>
        <Radix.Overlay className="fixed inset-0 z-40 bg-scrim" />
        <Radix.Content
          onInteractOutside={(event) => event.preventDefault()}
          className="fixed top-[12vh] left-1/2 z-50 max-h-[76vh] w-[calc(100vw-32px)] -translate-x-1/2 overflow-auto rounded-[10px] border border-line bg-panel p-5 outline-none"
          style={{ maxWidth: width, boxShadow: "var(--shadow)" }}
          {...(description ? {} : { "aria-describedby": undefined })}
        >
          <Radix.Title className="text-lg font-semibold text-ink tracking-[-0.01em]">{title}</Radix.Title>
          {description && <Radix.Description className="mt-1 text-ink-2">{description}</Radix.Description>}
          <div className="mt-4">{children}</div>
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

/** How a dialog may be left: without doing it, and what does it. */
export function Ends({ onCancel, children }: { onCancel: () => void; children: ReactNode }) {
  return (
    <div className="flex justify-end gap-2">
      <Button onClick={onCancel}>Cancel</Button>
      {children}
    </div>
  );
}
