import { Overview } from "../../overview/view/overview.tsx";

export const metadata = { title: "Overview" };

export default function Page() {
  return <Overview />;
}
