import {
  type InputHTMLAttributes,
  type ReactNode,
  type SelectHTMLAttributes,
  type TextareaHTMLAttributes,
  useId,
} from "react";
import { cx } from "./class.ts";

const BOX =
  "min-h-[29px] w-full rounded-[6px] border border-line-strong bg-panel px-2 py-1 text-ink focus-visible:outline-offset-0 aria-invalid:border-block";

type Labelled = { label: string; hint?: ReactNode; fault?: string | undefined };

function Frame({ label, hint, fault, id, children }: Labelled & { id: string; children: ReactNode }) {
  return (
    <div className="grid gap-1">
      <label htmlFor={id} className="text-ink-2">
        {label}
      </label>
      {children}
      {fault ? (
        <p role="alert" className="text-xs text-block">
          ■ {fault}
        </p>
      ) : (
        hint && <p className="text-xs text-ink-3">{hint}</p>
      )}
    </div>
  );
}

export function Input({ label, hint, fault, className, ...rest }: Labelled & InputHTMLAttributes<HTMLInputElement>) {
  const id = useId();
  return (
    <Frame label={label} hint={hint} fault={fault} id={id}>
      <input id={id} aria-invalid={fault ? true : undefined} className={cx(BOX, className)} {...rest} />
    </Frame>
  );
}

/** Whoever acts says why; it stands on a trail. In the form's data, `reason`. */
export function Why(props: Omit<Parameters<typeof Input>[0], "label"> & { maxLength: number }) {
  return <Input label="Why" name="reason" required minLength={3} {...props} />;
}

export function Select({ label, hint, fault, children, ...rest }: Labelled & SelectHTMLAttributes<HTMLSelectElement>) {
  const id = useId();
  return (
    <Frame label={label} hint={hint} fault={fault} id={id}>
      <select id={id} className={cx(BOX, "pr-6")} {...rest}>
        {children}
      </select>
    </Frame>
  );
}

export function TextArea({ label, hint, fault, ...rest }: Labelled & TextareaHTMLAttributes<HTMLTextAreaElement>) {
  const id = useId();
  return (
    <Frame label={label} hint={hint} fault={fault} id={id}>
      <textarea id={id} className={BOX} rows={3} {...rest} />
    </Frame>
  );
}
