import type { ReactNode } from "react";
import { ApiProvider } from "../../trpc/client.tsx";

export default function DoorLayout({ children }: { children: ReactNode }) {
  return <ApiProvider>{children}</ApiProvider>;
}
