import { expect, it } from "vitest";
import { aboutOf } from "./about.ts";

const ID = "0f8a7d52-7f0e-4a53-9a61-5b1c7f2f8a10";

it.each([
  [`rollout/${ID}/3`, `/rollouts/${ID}`],
  [`delivery/${ID}/2026-11-30T08:00:00.000Z`, `/destinations?open=${ID}`],
  [`refused/${ID}/hash/2026-11-30`, `/quarantine?workstation=${ID}&code=hash`],
  ["refused/unknown/topic/2026-11-30", "/quarantine?code=topic"],
  ["clock/2026-11-30", undefined],
  ["rollout/3", undefined],
])("an alert of the key %s leads to %s", (key, href) => expect(aboutOf(key)?.href).toBe(href));
