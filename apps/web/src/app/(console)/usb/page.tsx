import { Scans } from "../../../usb/view/scans.tsx";

export const metadata = { title: "USB" };

export default function Page() {
  return <Scans />;
}
