import { notFound } from "next/navigation";
import { z } from "zod";
import { Rollout } from "../../../../rollout/view/rollout.tsx";

export const metadata = { title: "Rollout" };

export default async function Page({ params }: { params: Promise<{ id: string }> }) {
  const id = z.uuid().safeParse((await params).id);
  if (!id.success) notFound();
  return <Rollout id={id.data} />;
}
