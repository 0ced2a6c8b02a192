/** A QR code drawn here, from text that never leaves the browser. */
import { encode } from "uqr";

const QUIET_MODULES = 3;

export function Qr({ text, label }: { text: string; label: string }) {
  const { data, size } = encode(text, { border: QUIET_MODULES, ecc: "M" });
  const path = data.flatMap((row, y) => row.map((dark, x) => (dark ? `M${x} ${y}h1v1h-1z` : ""))).join("");
  return (
    <svg
      viewBox={`0 0 ${size} ${size}`}
      width={180}
      height={180}
      role="img"
      shapeRendering="crispEdges"
      className="rounded-[6px]"
    >
      <title>{label}</title>
      <rect width={size} height={size} fill="#fff" />
      <path d={path} fill="#000" />
    </svg>
  );
}
