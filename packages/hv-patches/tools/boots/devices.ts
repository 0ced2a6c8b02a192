/** Real drivers and a display. */
import { createHash, randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import http from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import type { Vm } from "../qemu.ts";
import { expect, guest, leavesNamed, type Proof, type ProvingBoot } from "./facts.ts";
import { bootJob, lowmem } from "./plan.ts";

const DISPLAY_PIXELS = { width: 640, height: 480 };
const NET_BYTES = 10 << 20;

/** Serves random bytes to each driver, and compares what comes back. */
async function netServer(): Promise<{ port: number; sha256: string; close(): void }> {
  const bytes = randomBytes(NET_BYTES);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const server = http.createServer((request, response) => {
    if (request.url === "/down") {
      response.end(bytes);
      return;
    }
    const hash = createHash("sha256");
    let count = 0;
    request.on("data", (chunk: Buffer) => {
      hash.update(chunk);
      count += chunk.length;
    });
    request.on("end", () =>
      response.end(count === NET_BYTES && hash.digest("hex") === sha256 ? "equal" : `differs:${count}`),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { port: (server.address() as AddressInfo).port, sha256, close: () => server.close() };
}

/** How many pixels of QEMU's picture are not what the guest drew. */
export function wrongPixels(ppm: Uint8Array): number {
  const { width, height } = DISPLAY_PIXELS;
  const header = `P6\n${width} ${height}\n255\n`;
  if (Buffer.from(ppm.subarray(0, header.length)).toString("latin1") !== header) return width * height;
  let wrong = 0;
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const at = header.length + 3 * (y * width + x);
      if (ppm[at] !== (x & 255) || ppm[at + 1] !== (y & 255) || ppm[at + 2] !== ((x ^ y) & 255)) wrong++;
    }
  return wrong;
}

let picture: Uint8Array = new Uint8Array();
const capture = async (vm: Vm) => {
  const to = path.join(vm.folder, "picture.ppm");
  await vm.qmp.run("screendump", { filename: to, device: "display0" });
  picture = await readFile(to);
};

let sent = "";
export const devices: ProvingBoot = {
  name: "devices",
  async run() {
    const server = await netServer();
    sent = server.sha256;
    const nic = (driver: string, slot: number) => [
      ...["-netdev", `user,id=net${slot},net=10.0.${slot}.0/24`],
      ...["-device", `${driver},addr=${slot},netdev=net${slot},mac=52:54:00:00:00:0${slot},romfile=`],
    ];
    try {
      return await bootJob("devices", "devices", "release", {
        options: `${lowmem()} lowmem_devices=00:05.0,00:06.0,00:07.0`,
        qemu: [...nic("e1000", 5), ...nic("e1000e", 6), "-device", "bochs-display,id=display0,addr=7,romfile="],
        hide: "(00:05.0)(00:06.0)(00:07.0)",
        before: `PORT=${server.port}`,
        onPicture: capture,
      });
    } finally {
      server.close();
    }
  },
  proofs: [
    ...(["e1000", "e1000e"] as const).map((driver): Proof => {
      // The latter names are those of a guest that takes its interrupts as event channels.
      const interrupt = driver === "e1000" ? "(IO-APIC|-ioapic)" : "(PCI-MSI|-msi)";
      return {
        name: `Linux's ${driver} driver moves 10 MiB both ways, by ${driver === "e1000" ? "INTx" : "MSI-X"}`,
        against(facts) {
          const line =
            guest(facts).find((each) => each.startsWith(`net driver=${driver} `)) ?? guest(facts).join(" | ");
          return [
            ...expect("what came down is what was sent", line.includes(`bytes=${NET_BYTES} sha256=${sent}`), line),
            ...expect("what went up is the same", line.includes("up=equal"), line),
            ...expect(`by ${interrupt}, many times`, new RegExp(`irq=${interrupt} count=\\d{2,}`).test(line), line),
          ];
        },
      };
    }),
    {
      name: "dom0 has no line for any of the guest's devices, and no display",
      against: (facts) => [
        ...expect("dom0 has none", facts.first("dom0irq") === "0", facts.first("dom0irq")),
        ...expect("dom0 has no frame buffer", facts.first("fb") === "0 0", facts.first("fb")),
        ...expect("dom0 programs no VGA text console", facts.first("text") === "0", facts.first("text")),
        ...expect(
          "Xen lists the three devices",
          leavesNamed(facts, 1, "devices")[0]?.split(",").sort().join() === "0000:00:05.0,0000:00:06.0,0000:00:07.0",
          leavesNamed(facts, 1, "devices").join(),
        ),
      ],
    },
    {
      name: "the display's registers are at least 100 times faster touched directly than through the device model",
      against: (facts) => {
        const rate = (name: string) =>
          Number(
            /reads_per_s=(\d+)/.exec(guest(facts).find((line) => line.startsWith(`registers ${name}`)) ?? "")?.[1],
          );
        const ratio = rate("direct") / rate("emulated");
        return expect(
          "a ratio of 100",
          ratio >= 100,
          `${rate("direct")} against ${rate("emulated")} reads a second, ${ratio.toFixed(0)} times`,
        );
      },
    },
    {
      name: "a picture that the guest draws is what comes out of the display",
      against: () => {
        const wrong = wrongPixels(picture);
        return expect("no pixel differs", wrong === 0, `${wrong} pixels differ`);
      },
    },
  ],
};
