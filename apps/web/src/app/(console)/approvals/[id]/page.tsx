import { notFound } from "next/navigation";
import { z } from "zod";
import { Approval } from "../../../../approval/view/approval.tsx";

export const metadata = { title: "Approval" };

export default async function Page({ params }: { params: Promise<{ id: string }> }) {
  const id = z.uuid().safeParse((await params).id);
  if (!id.success) notFound();
  return <Approval id={id.data} />;
}
