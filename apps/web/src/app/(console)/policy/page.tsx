import { Groups } from "../../../policy/view/groups.tsx";

export const metadata = { title: "Policy" };

export default function Page() {
  return <Groups />;
}
