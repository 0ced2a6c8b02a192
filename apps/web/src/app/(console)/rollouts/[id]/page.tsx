import { Rollout } from "../../../../rollout/view/rollout.tsx";

export const metadata = { title: "Rollout" };

export default async function Page({ params }: { params: Promise<{ id: string }> }) {
  return <Rollout id={(await params).id} />;
}
