/** A routed dom0 between two guests, a vif that nobody knows, and the world: each a namespace with a peer in it. */
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { makeNamespaces, type Namespaces } from "./namespaces.ts";

export const PORTS = [22, 53, 80, 443, 514, 8883, 5000];
export const MAC = {
  guest: "00:16:3e:00:00:01",
  other: "00:16:3e:00:00:02",
  stranger: "00:16:3e:00:00:09",
  world: "00:16:3e:00:00:aa",
};

export type PlaceName = "dom0" | "guest" | "other" | "stranger" | "world";
type End = { device: string; mac: string; own: string[]; spoofs: string[] };
/** `own` addresses reach it; `spoofs` it may only pretend to have. */
export const ENDS: Record<Exclude<PlaceName, "dom0">, End> = {
  guest: {
    device: "vif1.0",
    mac: MAC.guest,
    own: ["10.1.0.2", "fd00:1::2"],
    spoofs: ["10.1.0.77", "fd00:1::77", "203.0.113.5"],
  },
  other: { device: "vif-other", mac: MAC.other, own: ["10.2.0.2", "fd00:2::2"], spoofs: [] },
  stranger: { device: "vif9.0", mac: MAC.stranger, own: ["10.9.0.2", "fd00:9::2"], spoofs: [] },
  world: {
    device: "up0",
    mac: MAC.world,
    own: ["192.0.2.1", "192.0.2.9", "198.51.100.7", "2001:db8::1", "2001:db8::9"],
    spoofs: [],
  },
};
export const DOM0_ADDRESSES: Record<string, string[]> = {
  guest: ["10.1.0.1", "fd00:1::1"],
  other: ["10.2.0.1", "fd00:2::1"],
  stranger: ["10.9.0.1", "fd00:9::1"],
};

export type Protocol = "tcp" | "udp" | "icmp";
export type Peer = {
  got: Map<number, string>;
  /** What it answers. @throws what its kernel refused */
  ask(order: Record<string, unknown>): Promise<{ counters?: Record<string, number> }>;
};
export type Wire = { spaces: Namespaces; peers: Record<PlaceName, Peer>; remove(): Promise<void> };

export async function makeWire(): Promise<Wire> {
  const names = ["dom0", "guest", "other", "stranger", "world"] as const;
  const spaces = await makeNamespaces(names);
  try {
    await spaces.run(
      "dom0",
      "sh",
      "-c",
      "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding",
    );
    for (const name of Object.keys(ENDS) as (keyof typeof ENDS)[]) await makeEnd(spaces, name);
    await hush(spaces);
    const peers = {} as Record<PlaceName, Peer>;
    for (const name of names) peers[name] = await startPeer(spaces, name);
    return { spaces, peers, remove: () => spaces.remove() };
  } catch (error) {
    await spaces.remove();
    throw error;
  }
}

async function makeEnd(spaces: Namespaces, name: keyof typeof ENDS): Promise<void> {
  const { device, mac, own, spoofs } = ENDS[name];
  const [four, six] = DOM0_ADDRESSES[name] ?? ["10.0.0.1", "fd00::1"];
  const full = (address: string) => (address.includes(":") ? `${address}/128` : `${address}/32`);
  const added = (address: string, to: string) =>
    `addr add ${full(address)} dev ${to}${address.includes(":") ? " nodad" : ""}`;
  await spaces.ip(
    "dom0",
    `link add ${device} type veth peer name eth0 netns ${spaces.of(name)}`,
    `link set ${device} up`,
    added(four!, device),
    added(six!, device),
  );
  await spaces.ip(
    name,
    `link set eth0 address ${mac}`,
    "link set eth0 up",
    ...own.map((address) => added(address, "eth0")),
    ...spoofs.map((address) => added(address, "lo")),
    `route add ${four}/32 dev eth0`,
    `route add default via ${four} dev eth0 onlink`,
    `route add ${six}/128 dev eth0`,
    `route add default via ${six} dev eth0 onlink`,
  );
  await spaces.ip("dom0", ...own.map((address) => `route add ${full(address)} dev ${device}`));
}

/** Neighbours are written down and their discovery is silenced: each packet on the wire is one the test sent. */
async function hush(spaces: Namespaces): Promise<void> {
  const quiet =
    "table inet quiet { chain output { type filter hook output priority -300; icmpv6 type { 130-136, 143 } drop; }; }";
  for (const name of ["dom0", ...Object.keys(ENDS)]) await spaces.run(name, "nft", quiet);
  for (const [name, { device, mac, own }] of Object.entries(ENDS)) {
    const [link] = JSON.parse(await spaces.run("dom0", "ip", "-j", "link", "show", device)) as { address: string }[];
    const written = (address: string, lladdr: string, dev: string) =>
      `neigh replace ${address} lladdr ${lladdr} dev ${dev} nud permanent`;
    await spaces.ip("dom0", ...own.map((address) => written(address, mac, device)));
    const beyond = DOM0_ADDRESSES[name] ?? ["10.0.0.1", "fd00::1"];
    await spaces.ip(name, ...beyond.map((address) => written(address, link!.address, "eth0")));
  }
}

type Way = { from: PlaceName; source: string; to: PlaceName; destination: string; port: number };

/** A TCP connection that stays open, from when the far end has accepted it. */
export async function connected({ peers }: Wire, token: number, way: Way) {
  const [near, far] = [peers[way.from], peers[way.to]];
  const { source, destination: to, port } = way;
  await near.ask({ act: "send", family: 4, protocol: "tcp", source, to, port, token });
  await until(
    () => (far.got.has(token) ? true : undefined),
    () => "the connection is accepted",
  );
  return {
    write: (text: string) => near.ask({ act: "write", token, text }),
    /** What arrived over it. */
    arrived: () => far.got.get(token),
    close: () => near.ask({ act: "close", token }),
  };
}
export const GUEST_TO_WEB: Way = {
  from: "guest",
  source: "10.1.0.2",
  to: "world",
  destination: "192.0.2.1",
  port: 443,
};

/** Lets them speak again, with nothing written down between dom0 and the guest. */
export async function unhush({ spaces }: Wire): Promise<void> {
  for (const name of ["dom0", "guest"]) await spaces.run(name, "nft", "delete table inet quiet");
  await spaces.ip("dom0", "neigh flush nud permanent dev vif1.0");
  await spaces.ip("guest", "neigh flush nud permanent dev eth0");
}

export const startPeer = (spaces: Namespaces, name: string): Promise<Peer> =>
  startScript(spaces, name, "peer.py", PORTS.join(","));

/** `script` lies beside this file and speaks as peer.py does. */
export async function startScript(spaces: Namespaces, name: string, script: string, arg: string): Promise<Peer> {
  const child = spaces.spawn(name, "/usr/bin/python3", [fileURLToPath(new URL(script, import.meta.url)), arg]);
  const got = new Map<number, string>();
  type Said = {
    got?: number;
    text?: string;
    done?: string;
    error?: string;
    ready?: boolean;
    counters?: Record<string, number>;
  };
  const waiting: ((said: Said) => void)[] = [];
  const ready = Promise.withResolvers<void>();
  createInterface({ input: child.stdout! }).on("line", (line) => {
    const said = JSON.parse(line) as Said;
    if (said.ready) ready.resolve();
    else if (said.got !== undefined) got.set(said.got, said.text ?? "");
    else waiting.shift()?.(said);
  });
  child.once("close", () => ready.reject(new Error(`the peer in ${name} ended`)));
  await ready.promise;
  return {
    got,
    ask: (order) =>
      new Promise((resolve, reject) => {
        waiting.push((said) =>
          said.error ? reject(new Error(`${name}: ${JSON.stringify(order)}: ${said.error}`)) : resolve(said),
        );
        child.stdin!.write(`${JSON.stringify(order)}\n`);
      }),
  };
}

/** Waits for a state, at most so long that a broken test ends. */
export async function until<T>(look: () => Promise<T | undefined> | T | undefined, what: () => string): Promise<T> {
  const started = performance.now();
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() - started > 60_000) throw new Error(`never came true: ${what()}`);
    await delay(3);
  }
}
