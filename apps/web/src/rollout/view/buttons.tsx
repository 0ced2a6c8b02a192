"use client";
import { plural } from "@sallyport/shared/base/count.ts";
/** What an admin does to a rollout by hand. Each says first what it will do, and asks why. */
import type { Command } from "@sallyport/shared/rollout/command.ts";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useApi } from "../../trpc/client.tsx";
import { Button } from "../../ui/button.tsx";
import { Dialog, Ends } from "../../ui/dialog.tsx";
import { Why } from "../../ui/field.tsx";
import { useTell } from "../../ui/toast.tsx";
import type { RolloutFull } from "../store.ts";

const WORDS: Record<Command, string> = { pause: "Pause", resume: "Resume", promote: "Promote", abort: "Abort" };

export function Buttons({ rollout }: { rollout: RolloutFull }) {
  const [doing, setDoing] = useState<Command>();
  const { name } = rollout.state;
  const shown: Command[] =
    name === "paused"
      ? ["resume", "promote", "abort"]
      : name === "running" || name === "soaking"
        ? ["pause", "promote", "abort"]
        : name === "pending"
          ? ["abort"]
          : [];
  return (
    <>
      {shown.map((command) => (
        <Button key={command} look={command === "abort" ? "danger" : "plain"} onClick={() => setDoing(command)}>
          {WORDS[command]}…
        </Button>
      ))}
      {doing && <Ask rollout={rollout} command={doing} onClose={() => setDoing(undefined)} />}
    </>
  );
}

function Ask({ rollout, command, onClose }: { rollout: RolloutFull; command: Command; onClose: () => void }) {
  const api = useApi();
  const tell = useTell();
  const client = useQueryClient();
  // what was on the page when the dialog opened: what moves meanwhile is told, not overwritten
  const [version] = useState(rollout.version);
  const act = useMutation({
    ...api.rollout.command.mutationOptions(),
    onSuccess: async ({ state }) => {
      tell.done(`It is ${state} now.`);
      await client.invalidateQueries({ queryKey: api.rollout.get.queryKey({ id: rollout.id }) });
      onClose();
    },
  });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const reason = String(new FormData(event.currentTarget).get("reason"));
    act.mutate({ id: rollout.id, command, reason, version });
  };
  return (
    <Dialog
      open
      onClose={onClose}
      title={`${WORDS[command]} the rollout of r${rollout.order} to ${rollout.group.name}`}
      description={effect(rollout, command)}
    >
      <form onSubmit={submit} className="grid gap-3">
        <Why maxLength={500} autoFocus fault={act.error?.message} />
        <Ends onCancel={onClose}>
          <Button look={command === "abort" ? "danger" : "main"} type="submit" disabled={act.isPending}>
            {WORDS[command]}
          </Button>
        </Ends>
      </form>
    </Dialog>
  );
}

function effect({ state, waves, fallback, group }: RolloutFull, command: Command): string {
  const at = "wave" in state ? state.wave : 0;
  const told = waves.reduce((sum, wave) => sum + wave.told, 0);
  switch (command) {
    case "pause":
      return `Nobody more is told and the clock stands. The ${plural(told, "workstation")} told so far keep what they have.`;
    case "resume":
      return `It goes on with wave ${at + 1}. What a guard found is taken as known: only worse stops it again.`;
    case "promote": {
      const next = waves[at + 1];
      if (!next) return `It is done at once: all of ${group.name} should have the revision, watched no longer.`;
      return `Wave ${at + 2} (${next.words}) begins now, whatever wave ${at + 1} still waits for.`;
    }
    case "abort":
      return fallback
        ? `All of ${group.name} goes to r${fallback.order}, which carries what it had before and is signed already: the ${plural(told, "workstation")} told so far go back to it. It cannot be undone; begin another rollout instead.`
        : `${group.name} had no policy before, so the ${plural(told, "workstation")} told so far keep it and nobody else gets it. It cannot be undone.`;
  }
}
