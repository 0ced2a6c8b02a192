import { Account } from "../../../person/view/account.tsx";

export const metadata = { title: "Account" };

type Props = { searchParams: Promise<{ welcome?: string | string[] }> };

export default async function Page({ searchParams }: Props) {
  return <Account welcome={(await searchParams).welcome !== undefined} />;
}
