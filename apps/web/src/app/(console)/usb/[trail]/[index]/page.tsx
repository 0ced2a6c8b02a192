import { notFound } from "next/navigation";
import { RecordAt } from "../../../../../record/filter.ts";
import { Scan } from "../../../../../usb/view/scan.tsx";

export const metadata = { title: "Scan" };

export default async function Page({ params }: { params: Promise<{ trail: string; index: string }> }) {
  const { trail, index } = await params;
  const at = RecordAt.safeParse({ trail: Number(trail), index: Number(index) });
  if (!at.success) notFound();
  return <Scan {...at.data} />;
}
