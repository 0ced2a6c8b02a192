import { Door } from "../../../person/view/door.tsx";
import { JoinForm } from "../../../person/view/join.tsx";

export const metadata = { title: "The first owner" };

type Props = { searchParams: Promise<{ code?: string | string[] }> };

export default async function Page({ searchParams }: Props) {
  const { code } = await searchParams;
  return (
    <Door title="The first owner">
      <JoinForm code={typeof code === "string" ? code : ""} />
    </Door>
  );
}
