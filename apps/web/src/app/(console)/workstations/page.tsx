import { Workstations } from "../../../workstation/view/list.tsx";

export const metadata = { title: "Workstations" };

export default function Page() {
  return <Workstations />;
}
