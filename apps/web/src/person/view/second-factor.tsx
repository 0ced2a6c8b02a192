"use client";
/** Enrolment of an authenticator: password, QR code, one code to prove it works, recovery codes to keep. */
import { useQueryClient } from "@tanstack/react-query";
import { useRouter } from "next/navigation";
import { type FormEvent, useState } from "react";
import { Button } from "../../ui/button.tsx";
import { Copy } from "../../ui/copy.tsx";
import { Input } from "../../ui/field.tsx";
import { Qr } from "../../ui/qr.tsx";
import { useTell } from "../../ui/toast.tsx";
import { type Answer, askAuth } from "./ask.ts";

type State =
  | { step: "rest" }
  | { step: "enrolling"; uri: string; codes: string[] }
  | { step: "codes"; codes: string[] };

const codesOf = (answer: Answer & { ok: true }): string[] =>
  Array.isArray(answer.value.backupCodes) ? answer.value.backupCodes.map(String) : [];

export function SecondFactor({ on }: { on: boolean }) {
  const tell = useTell();
  const router = useRouter();
  const queries = useQueryClient();
  const [state, setState] = useState<State>({ step: "rest" });
  const [fault, setFault] = useState<string>();

  const changed = async () => {
    await queries.invalidateQueries();
    router.refresh();
  };
  const withField =
    (name: string, act: (value: string) => Promise<void>) => async (event: FormEvent<HTMLFormElement>) => {
      event.preventDefault();
      setFault(undefined);
      await act(String(new FormData(event.currentTarget).get(name) ?? ""));
    };
  const begin = withField("password", async (password) => {
    const answer = await askAuth("/two-factor/enable", { password });
    if (!answer.ok) return setFault(answer.message);
    setState({ step: "enrolling", uri: String(answer.value.totpURI), codes: codesOf(answer) });
  });
  const prove = withField("code", async (code) => {
    if (state.step !== "enrolling") return;
    const answer = await askAuth("/two-factor/verify-totp", { code: code.replaceAll(" ", "") });
    if (!answer.ok) return setFault(answer.message);
    setState({ step: "codes", codes: state.codes });
    await changed();
  });
  const renew = withField("password", async (password) => {
    const answer = await askAuth("/two-factor/generate-backup-codes", { password });
    if (!answer.ok) return setFault(answer.message);
    setState({ step: "codes", codes: codesOf(answer) });
  });
  const remove = async (password: string) => {
    const answer = await askAuth("/two-factor/disable", { password });
    if (!answer.ok) return setFault(answer.message);
    tell.done("The second factor is off. Your password alone opens the console now.");
    await changed();
  };

  if (state.step === "codes") return <RecoveryCodes codes={state.codes} onDone={() => setState({ step: "rest" })} />;
  if (state.step === "enrolling") return <Enrolling uri={state.uri} fault={fault} onSubmit={prove} />;
  return (
    <form onSubmit={on ? renew : begin} className="grid max-w-[340px] gap-3">
      <Input
        label="Your password"
        name="password"
        type="password"
        autoComplete="current-password"
        required
        fault={fault}
      />
      <div className="flex gap-2">
        <Button type="submit">{on ? "Make new recovery codes" : "Set up an authenticator"}</Button>
        {on && (
          <Button
            look="danger"
            onClick={(event) => {
              const form = event.currentTarget.form;
              if (form?.reportValidity()) void remove(String(new FormData(form).get("password") ?? ""));
            }}
          >
            Remove
          </Button>
        )}
      </div>
    </form>
  );
}

type EnrollingProps = { uri: string; fault: string | undefined; onSubmit: (event: FormEvent<HTMLFormElement>) => void };

function Enrolling({ uri, fault, onSubmit }: EnrollingProps) {
  const secret = new URL(uri).searchParams.get("secret") ?? "";
  return (
    <form onSubmit={onSubmit} className="flex flex-wrap gap-5">
      <Qr text={uri} label="QR code for your authenticator" />
      <div className="grid w-[300px] content-start gap-3">
        <p className="text-ink-2">Scan it with your authenticator, or type this secret into it:</p>
        <p className="mono [overflow-wrap:anywhere]">
          <span data-secret>{secret}</span> <Copy text={secret} />
        </p>
        <Input
          label="The code it shows now"
          name="code"
          inputMode="numeric"
          autoComplete="one-time-code"
          className="mono"
          required
          autoFocus
          fault={fault}
        />
        <Button look="main" type="submit" className="justify-self-start">
          Turn it on
        </Button>
      </div>
    </form>
  );
}

function RecoveryCodes({ codes, onDone }: { codes: string[]; onDone: () => void }) {
  return (
    <div className="grid gap-3">
      <p className="text-ink-2">
        Keep these where you keep keys: each opens the console once when the authenticator is lost. They are not shown
        again.
      </p>
      <ul
        className="mono grid grid-cols-[repeat(auto-fill,minmax(120px,1fr))] gap-x-5 gap-y-1"
        aria-label="Recovery codes"
      >
        {codes.map((code) => (
          <li key={code}>{code}</li>
        ))}
      </ul>
      <div className="flex items-center gap-2">
        <Copy text={codes.join("\n")} label="Copy all" className="border border-line px-2 py-1" />
        <Button look="main" onClick={onDone}>
          I have kept them
        </Button>
      </div>
    </div>
  );
}
