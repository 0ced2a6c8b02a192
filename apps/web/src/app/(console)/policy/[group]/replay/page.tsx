import { ReplayPage } from "../../../../../replay/view/page.tsx";

export const metadata = { title: "Replay" };

export default async function Page({ params }: { params: Promise<{ group: string }> }) {
  return <ReplayPage id={(await params).group} />;
}
