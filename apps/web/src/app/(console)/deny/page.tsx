import { Blocked } from "../../../deny/view/blocked.tsx";

export const metadata = { title: "Blocked" };

export default function Page() {
  return <Blocked />;
}
