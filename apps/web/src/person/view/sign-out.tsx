"use client";
import { useRouter } from "next/navigation";
import { useState } from "react";
import { askAuth } from "./ask.ts";

/** In the frame of every page: nobody looks for it on one of them. */
export function SignOut() {
  const router = useRouter();
  const [isLeaving, setLeaving] = useState(false);
  const leave = async () => {
    setLeaving(true);
    await askAuth("/sign-out");
    router.replace("/sign-in");
    router.refresh();
  };
  return (
    <button type="button" disabled={isLeaving} onClick={() => void leave()} className="hover:text-ink hover:underline">
      Sign out
    </button>
  );
}
