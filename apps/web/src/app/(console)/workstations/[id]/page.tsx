import { WorkstationId } from "@sallyport/shared/base/ids.ts";
import { notFound } from "next/navigation";
import { Workstation } from "../../../../workstation/view/workstation.tsx";

export const metadata = { title: "Workstation" };

export default async function Page({ params }: { params: Promise<{ id: string }> }) {
  const id = WorkstationId.safeParse((await params).id);
  if (!id.success) notFound();
  return <Workstation id={id.data} />;
}
