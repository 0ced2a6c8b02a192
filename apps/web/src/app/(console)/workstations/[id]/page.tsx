import { Workstation } from "../../../../workstation/view/workstation.tsx";

export const metadata = { title: "Workstation" };

export default async function Page({ params }: { params: Promise<{ id: string }> }) {
  return <Workstation id={(await params).id} />;
}
