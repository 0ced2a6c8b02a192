import { GroupId } from "@sallyport/shared/base/ids.ts";
import { notFound } from "next/navigation";
import { ReplayPage } from "../../../../../replay/view/page.tsx";

export const metadata = { title: "Replay" };

export default async function Page({ params }: { params: Promise<{ group: string }> }) {
  const id = GroupId.safeParse((await params).group);
  if (!id.success) notFound();
  return <ReplayPage id={id.data} />;
}
