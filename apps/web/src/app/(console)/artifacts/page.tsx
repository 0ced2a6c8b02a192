import { Artifacts } from "../../../artifact/view/artifacts.tsx";

export const metadata = { title: "Artifacts" };

export default function Page() {
  return <Artifacts />;
}
