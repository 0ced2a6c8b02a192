import { Quarantine } from "../../../quarantine/view/quarantine.tsx";

export const metadata = { title: "Quarantine" };

export default function Page() {
  return <Quarantine />;
}
