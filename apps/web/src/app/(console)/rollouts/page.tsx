import { Rollouts } from "../../../rollout/view/rollouts.tsx";

export const metadata = { title: "Rollouts" };

export default function Page() {
  return <Rollouts />;
}
