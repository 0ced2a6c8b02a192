import { InForceHistory } from "../../../../../in-force/view/history.tsx";

export const metadata = { title: "Policy in force" };

export default async function Page({ params }: { params: Promise<{ id: string }> }) {
  return <InForceHistory id={(await params).id} />;
}
