import { beforeAll, describe, expect, it } from "vitest";
import { PRIMARY_UUID, xenSays } from "../tools/boot.ts";
import { xenOf } from "../tools/proofs.ts";
import { needPackages } from "./setup.ts";

const UUID = `lowmem_uuid=${PRIMARY_UUID}`;

/** What is written, what Xen answers. Each stops as soon as the answer is on the serial line. */
const ROWS: [what: string, options: string, answer: RegExp][] = [
  ["what is not a size", `lowmem_domu=much ${UUID}`, /off: (lowmem_domu=much is not a size; write lowmem_domu=1G)/],
  [
    "not a power of two",
    `lowmem_domu=1536M ${UUID}`,
    /off: (.* is not a power of two; write lowmem_domu=1G or lowmem_domu=2G)/,
  ],
  ["not aligned", `lowmem_domu=1048577K ${UUID}`, /off: (.* is not aligned to 2M; write lowmem_domu=1G)/],
  ["too small", `lowmem_domu=32M ${UUID}`, /off: (.* is too small for a guest; write at least lowmem_domu=64M)/],
  ["past 4G", `lowmem_domu=8G ${UUID}`, /off: (.* reaches past the 4G .*; write lowmem_domu=1G)/],
  ["more than there is", `lowmem_domu=2G ${UUID}`, /off: (.* is more than the RAM below 4G, .*; write lowmem_domu=1G)/],
  ["no guest named", "lowmem_domu=1G", /off: (no guest is named; write lowmem_uuid=.*)/],
  [
    "a device that is not there",
    `lowmem_domu=1G ${UUID} lowmem_devices=00:1e.0`,
    /lowmem: (there is no device 0000:00:1e\.0; the displays here would be lowmem_devices=0000:00:01\.0)/,
  ],
];

describe("a wrong command line is answered with what to write instead", () => {
  beforeAll(needPackages);

  it.each(ROWS)("%s", async (name, options, answer) => {
    const said = await xenSays(
      {
        name: `says-${name.replaceAll(/\W+/g, "-")}`,
        xen: await xenOf("release"),
        options,
        qemu: ["-device", "bochs-display,addr=1"],
        memoryMiB: 4096,
        boundMs: 120_000,
      },
      answer,
    );
    expect(said).not.toBe("");
  });
});
