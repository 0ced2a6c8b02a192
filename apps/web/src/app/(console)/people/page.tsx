import { People } from "../../../person/view/people.tsx";

export const metadata = { title: "People" };

export default function Page() {
  return <People />;
}
