/** A guest on dom0's bridge, for the detector to watch: 10.1.0.1 is dom0's, 10.1.0.2 the guest's. */
import { makeNamespaces, type Namespaces } from "../network/namespaces.ts";

export async function guestOnBridge(): Promise<Namespaces> {
  const spaces = await makeNamespaces(["dom0", "guest"]);
  try {
    await spaces.ip(
      "dom0",
      "link add xenbr0 type bridge",
      "link set xenbr0 up",
      "addr add 10.1.0.1/24 dev xenbr0",
      `link add vif1.0 type veth peer name eth0 netns ${spaces.of("guest")}`,
      "link set vif1.0 master xenbr0",
      "link set vif1.0 up",
    );
    await spaces.ip("guest", "addr add 10.1.0.2/24 dev eth0", "link set eth0 up");
    return spaces;
  } catch (error) {
    await spaces.remove();
    throw error;
  }
}
