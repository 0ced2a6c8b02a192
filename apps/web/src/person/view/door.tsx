import type { ReactNode } from "react";

/** The frame of pages outside: one card, nothing to click away to. */
export function Door({ title, children }: { title: string; children: ReactNode }) {
  return (
    <main className="grid min-h-screen place-items-center p-6">
      <div className="w-full max-w-[360px]">
        <div className="mb-5 flex items-center gap-2.5 font-semibold">
          <svg
            width="20"
            height="20"
            viewBox="0 0 18 18"
            fill="none"
            stroke="currentColor"
            strokeWidth="1.6"
            aria-hidden
          >
            <path d="M2.5 16V2.5h13V16" />
            <path d="M6 16V6.5M12 16V6.5" />
          </svg>
          Sallyport
        </div>
        <div className="rounded-[10px] border border-line bg-panel p-5">
          <h1 className="mb-4">{title}</h1>
          {children}
        </div>
      </div>
    </main>
  );
}
