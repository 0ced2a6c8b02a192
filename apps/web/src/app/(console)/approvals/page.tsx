import { Approvals } from "../../../approval/view/approvals.tsx";

export const metadata = { title: "Approvals" };

export default function Page() {
  return <Approvals />;
}
