import { Destinations } from "../../../destination/view/destinations.tsx";

export const metadata = { title: "Destinations" };

export default function Page() {
  return <Destinations />;
}
