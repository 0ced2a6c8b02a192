"use client";
import { ButtonLink } from "../../ui/button.tsx";
import { Empty } from "../../ui/empty.tsx";
import { useMay } from "./shell.tsx";

/** The first page of a console that has no workstation yet. */
export function Start() {
  const mayEnrol = useMay("enrol");
  return (
    <Empty title="No workstation is enrolled yet">
      <p>
        Evidence comes from agents in each machine’s dom0.{" "}
        {mayEnrol
          ? "Make a group, then a token, and paste its one line there."
          : "An admin of this console can enrol one."}
      </p>
      {mayEnrol && (
        <p className="flex justify-center gap-2 pt-2">
          <ButtonLink href="/policy">Make a group</ButtonLink>
          <ButtonLink href="/enrol" look="main">
            Enrol a workstation
          </ButtonLink>
        </p>
      )}
    </Empty>
  );
}
