import Link from "next/link";

export default function NotFound() {
  return (
    <main className="grid min-h-screen place-items-center">
      <p>
        There is nothing at this address.{" "}
        <Link href="/" className="underline">
          To the overview
        </Link>
      </p>
    </main>
  );
}
