import { Requests } from "../../../../usb/view/requests.tsx";

export const metadata = { title: "Requests and exceptions" };

export default function Page() {
  return <Requests />;
}
