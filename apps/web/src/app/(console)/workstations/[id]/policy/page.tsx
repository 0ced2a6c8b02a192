import { WorkstationId } from "@sallyport/shared/base/ids.ts";
import { notFound } from "next/navigation";
import { InForceHistory } from "../../../../../in-force/view/history.tsx";

export const metadata = { title: "Policy in force" };

export default async function Page({ params }: { params: Promise<{ id: string }> }) {
  const id = WorkstationId.safeParse((await params).id);
  if (!id.success) notFound();
  return <InForceHistory id={id.data} />;
}
