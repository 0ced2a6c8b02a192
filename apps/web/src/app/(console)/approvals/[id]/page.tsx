import { Approval } from "../../../../approval/view/approval.tsx";

export const metadata = { title: "Approval" };

export default async function Page({ params }: { params: Promise<{ id: string }> }) {
  return <Approval id={(await params).id} />;
}
