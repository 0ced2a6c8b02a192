import { Door } from "../person/view/door.tsx";
import { ButtonLink } from "../ui/button.tsx";

export default function NotFound() {
  return (
    <Door title="There is nothing at this address">
      <p className="mb-4 text-ink-2">A link may be older than what it led to, or an address has a slip in it.</p>
      <ButtonLink href="/" look="main">
        To the overview
      </ButtonLink>
    </Door>
  );
}
