import { Explore } from "../../../record/view/explore.tsx";

export const metadata = { title: "Explore" };

export default function Page() {
  return <Explore />;
}
