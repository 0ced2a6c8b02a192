import { redirect } from "next/navigation";
import { hasOwner } from "../../../person/setup.ts";
import { Door } from "../../../person/view/door.tsx";
import { SignIn } from "../../../person/view/sign-in.tsx";
import { wiring } from "../../../wiring.ts";

export const metadata = { title: "Sign in" };
export const dynamic = "force-dynamic";

export default async function Page() {
  if (!(await hasOwner(wiring().pool))) redirect("/setup");
  return (
    <Door title="Sign in">
      <SignIn />
    </Door>
  );
}
