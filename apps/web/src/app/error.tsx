"use client";

export default function Failed({ error, reset }: { error: Error & { digest?: string }; reset: () => void }) {
  return (
    <main className="grid min-h-screen place-items-center">
      <div role="alert" className="grid max-w-[420px] gap-2">
        <p>
          <span className="text-block">■ </span>This page failed. The console’s log says why
          {error.digest && `, under ${error.digest}`}.
        </p>
        <button type="button" className="justify-self-start underline" onClick={reset}>
          Try again
        </button>
      </div>
    </main>
  );
}
