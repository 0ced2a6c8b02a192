import { Door } from "../../../person/view/door.tsx";
import { JoinForm } from "../../../person/view/join.tsx";

export const metadata = { title: "Your invitation" };

type Props = { searchParams: Promise<{ code?: string | string[] }> };

export default async function Page({ searchParams }: Props) {
  const { code } = await searchParams;
  return (
    <Door title="Your invitation">
      <JoinForm code={typeof code === "string" ? code : ""} />
    </Door>
  );
}
