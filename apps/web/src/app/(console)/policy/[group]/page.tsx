import { GroupId } from "@sallyport/shared/base/ids.ts";
import { notFound } from "next/navigation";
import { Group } from "../../../../policy/view/group.tsx";

export const metadata = { title: "Policy" };

export default async function Page({ params }: { params: Promise<{ group: string }> }) {
  const id = GroupId.safeParse((await params).group);
  if (!id.success) notFound();
  return <Group id={id.data} />;
}
