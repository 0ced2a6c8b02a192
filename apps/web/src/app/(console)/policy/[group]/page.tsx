import { Group } from "../../../../policy/view/group.tsx";

export const metadata = { title: "Policy" };

export default async function Page({ params }: { params: Promise<{ group: string }> }) {
  return <Group id={(await params).group} />;
}
