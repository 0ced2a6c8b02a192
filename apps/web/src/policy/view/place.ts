"use client";
/** A place in the policy that a form shows. */
import { pathText } from "@sallyport/shared/base/issue.ts";
import { type Edit, type Path, valueAt } from "@sallyport/shared/policy/change.ts";
import { createContext, useContext } from "react";

type Shown = {
  /** The text's value, valid or not. */
  value: unknown;
  faults: ReadonlyMap<string, string>;
  onEdit: (edit: Edit) => void;
};
export const FormContext = createContext<Shown | undefined>(undefined);

/** A place in the policy: what is written there, what is wrong with it, and its change. */
export function usePlace(path: Path) {
  const shown = useContext(FormContext);
  if (!shown) throw new Error("usePlace outside of the form");
  return {
    written: valueAt(shown.value, path),
    fault: shown.faults.get(pathText([...path])),
    faultOf: (more: Path) => shown.faults.get(pathText([...path, ...more])),
    onEdit: shown.onEdit,
    set: (value: unknown) => shown.onEdit({ op: "set", path, value }),
  };
}
