import { Alerts } from "../../../alert/view/alerts.tsx";

export const metadata = { title: "Alerts" };

export default function Page() {
  return <Alerts />;
}
