import { Enrol } from "../../../enrol/view/enrol.tsx";

export const metadata = { title: "Enrol" };

export default function Page() {
  return <Enrol />;
}
