/** When a change of the volume is told. */
import type { WorkstationId } from "@sallyport/shared/base/ids.ts";
import type { DiskState } from "@sallyport/shared/disk/state.ts";
import { expect, it } from "vitest";
import { Bell } from "../../src/pace.ts";
import { diskSource } from "../../src/sources/disk/source.ts";
import { run, until } from "../sources/outlet.ts";

const WORKSTATION = "0196a5b0-0000-7000-8000-000000000001" as WorkstationId;
/** Longer than any test: whatever is told sooner was asked for. */
const NEVER_MS = 1_000_000;

it("a change that another look has found is told at once, and one that is none is not told", async () => {
  const seen = new Bell();
  let state: DiskState = { volume: "/sim/volume", tpm: "absent", content: { is: "absent" } };
  let looks = 0;
  const look = async () => {
    looks += 1;
    return state;
  };
  const source = diskSource({
    ...{ workstation: WORKSTATION, look, recoveries: async () => [], now: Date.now, seen, everyMs: NEVER_MS },
  });
  const { kept, stop } = run(source);
  await until(() => kept.observations.length === 1, "the first look is told");
  seen.ring();
  await until(() => looks === 2, "it looked again");
  state = { ...state, tpm: "present" };
  seen.ring();
  await until(() => kept.observations.length === 2, "the change is told");
  expect(kept.observations.map(({ body }) => (body as DiskState).tpm)).toEqual(["absent", "present"]);
  await stop();
});
