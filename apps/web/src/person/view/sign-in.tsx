"use client";
import { useRouter } from "next/navigation";
import { type FormEvent, useState } from "react";
import { Button } from "../../ui/button.tsx";
import { Input } from "../../ui/field.tsx";
import { askAuth } from "./ask.ts";

type Step = "password" | "totp" | "recovery";

export function SignIn() {
  const router = useRouter();
  const [step, setStep] = useState<Step>("password");
  const [fault, setFault] = useState<string>();
  const [busy, setBusy] = useState(false);

  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const field = (name: string) => String(form.get(name) ?? "").trim();
    setBusy(true);
    setFault(undefined);
    const answer =
      step === "password"
        ? await askAuth("/sign-in/email", { email: field("email"), password: String(form.get("password") ?? "") })
        : step === "totp"
          ? await askAuth("/two-factor/verify-totp", { code: field("code").replaceAll(" ", "") })
          : await askAuth("/two-factor/verify-backup-code", { code: field("code") });
    setBusy(false);
    if (!answer.ok) setFault(answer.message);
    else if (answer.value.twoFactorRedirect) setStep("totp");
    else {
      router.replace("/");
      router.refresh();
    }
  };

  return (
    <form onSubmit={submit} className="grid gap-3.5" key={step}>
      {step === "password" ? (
        <>
          <Input label="E-mail" name="email" type="email" autoComplete="username" required autoFocus />
          <Input
            label="Password"
            name="password"
            type="password"
            autoComplete="current-password"
            required
            fault={fault}
          />
        </>
      ) : (
        <Input
          label={step === "totp" ? "Code from your authenticator" : "One of your recovery codes"}
          name="code"
          autoComplete="one-time-code"
          inputMode={step === "totp" ? "numeric" : "text"}
          className="mono"
          required
          autoFocus
          fault={fault}
        />
      )}
      <Button look="main" type="submit" disabled={busy}>
        {step === "password" ? "Sign in" : "Continue"}
      </Button>
      {step !== "password" && (
        <button
          type="button"
          className="justify-self-start text-xs text-ink-3 underline hover:text-ink"
          onClick={() => {
            setFault(undefined);
            setStep(step === "totp" ? "recovery" : "totp");
          }}
        >
          {step === "totp" ? "Use a recovery code instead" : "Use the authenticator instead"}
        </button>
      )}
    </form>
  );
}
