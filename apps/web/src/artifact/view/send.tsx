"use client";
/** A file from this machine to the console, as it is, with how far it has come. */
import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { Button } from "../../ui/button.tsx";
import { Card } from "../../ui/card.tsx";
import { Input } from "../../ui/field.tsx";
import { useTell } from "../../ui/toast.tsx";
import { kindOf } from "../words.ts";

export function Send() {
  const tell = useTell();
  const queries = useQueryClient();
  const [share, setShare] = useState<number>();
  const [fault, setFault] = useState<string>();
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    const file = new FormData(form).get("file");
    if (!(file instanceof File) || file.size === 0) return setFault("Choose a file that is not empty.");
    setFault(undefined);
    setShare(0);
    const answer = await send(file, setShare);
    setShare(undefined);
    if (!answer.ok) return setFault(answer.error);
    form.reset();
    tell.done(answer.known ? `${answer.name} was there already.` : `${answer.name} was added.`);
    await queries.invalidateQueries();
  };
  return (
    <Card title="Add one">
      <form onSubmit={submit} className="grid gap-3">
        <Input
          label="File"
          name="file"
          type="file"
          fault={fault}
          hint="Suricata rules: .rules, or a .tar.gz of them. ClamAV: daily.cvd, main.cvd, site.hdb …"
        />
        <Button look="main" type="submit" className="justify-self-start" disabled={share !== undefined}>
          {share === undefined ? "Add" : share < 1 ? `Sending, ${Math.floor(share * 100)} %` : "Being checked …"}
        </Button>
      </form>
    </Card>
  );
}

type Answer = { ok: true; name: string; known: boolean } | { ok: false; error: string };

/** XMLHttpRequest, since fetch does not say how much has gone. */
function send(file: File, onShare: (share: number) => void): Promise<Answer> {
  const kind = kindOf(file.name) ?? "clamav-definitions";
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open("POST", `/api/artifact?${new URLSearchParams({ kind, name: file.name })}`);
    request.upload.onprogress = ({ loaded, total }) => onShare(total > 0 ? loaded / total : 0);
    request.onerror = () => resolve({ ok: false, error: "The console does not answer. Nothing was added." });
    request.onload = () => resolve(read(request.status, request.responseText));
    request.send(file);
  });
}

function read(status: number, text: string): Answer {
  try {
    const said = JSON.parse(text) as { name?: string; known?: boolean; error?: string | { message?: string } };
    if (status === 200) return { ok: true, name: said.name ?? "It", known: said.known ?? false };
    const error = typeof said.error === "object" ? said.error.message : said.error;
    return { ok: false, error: error ?? `The console refused (${status}).` };
  } catch {
    return { ok: false, error: `The console refused (${status}).` };
  }
}
