/** One contract for guests' cards behind the door: xenstore's own words, and the pretend toolstack's. */
import { describe, expect, it } from "vitest";
import { simDom0 } from "../sim/sim.ts";
import { type SimXl, simXl } from "../sim/xl.ts";
import { type Card, type Cards, readCards, xenCards } from "./cards.ts";

/** xenstore-ls as Xen 4.20 prints it, over the pretend toolstack's guests. */
function printed(): { cards: Cards; xen: SimXl } {
  const xen = simXl();
  const dom0 = simDom0();
  dom0.write("/dev/xen/xenbus", "");
  let held: (Card & { id: number })[] = [];
  dom0.program("xenstore-ls", (args) => {
    expect(args).toEqual(["-f", "/local/domain/0/backend/vif"]);
    if (held.length === 0)
      return {
        code: 1,
        stderr: "xenstore-ls: xs_directory (/local/domain/0/backend/vif): No such file or directory\n",
      };
    const lines = held.flatMap(({ device, mac }, at) => {
      const [, id = String(90 + at), place = "0"] = /^vif(\d+)\.(\d+)$/.exec(device) ?? [];
      const path = `/local/domain/0/backend/vif/${id}/${place}`;
      const named = device.startsWith("vif") && /^\d/.test(device.slice(3)) ? [] : [`${path}/vifname = "${device}"`];
      return [
        `${path} = ""`,
        `${path}/frontend = "/local/domain/${id}/device/vif/${place}"`,
        `${path}/script = "/etc/xen/scripts/vif-bridge"`,
        ...named,
        `${path}/mac = "${mac.toUpperCase()}"`,
        `${path}/bridge = "xenbr0"`,
      ];
    });
    return { stdout: `${lines.join("\n")}\n` };
  });
  const over = xenCards(dom0);
  return {
    xen,
    cards: async () => {
      held = (await xen.cards()).map((card) => ({ ...card, id: 0 }));
      return over();
    },
  };
}
const pretend = () => {
  const xen = simXl();
  return { xen, cards: xen.cards as Cards };
};

describe.each([
  ["xenstore's own words", printed],
  ["the pretend toolstack", pretend],
])("guests' cards: %s", (_name, make) => {
  it("are none before there is a guest, and come and go with it under a name that was chosen", async () => {
    const { cards, xen } = make();
    expect(await cards()).toEqual([]);
    const first = xen.start("work", [{ vifname: "vif-work", mac: "00:16:3e:00:00:01" }]);
    expect(await cards()).toEqual([{ device: "vif-work", mac: "00:16:3e:00:00:01" }]);
    await xen.destroy(first);
    expect(await cards()).toEqual([]);
    const second = xen.start("work", [{ vifname: "vif-work", mac: "00:16:3e:00:00:02" }]);
    expect(second).not.toBe(first);
    expect(await cards()).toEqual([{ device: "vif-work", mac: "00:16:3e:00:00:02" }]);
  });

  it("have another name at each start where none was chosen", async () => {
    const { cards, xen } = make();
    const vifs = [{ mac: "00:16:3e:00:00:01" }, { mac: "00:16:3e:00:00:03" }];
    const first = xen.start("work", vifs);
    expect((await cards())?.map(({ device }) => device)).toEqual([`vif${first}.0`, `vif${first}.1`]);
    await xen.destroy(first);
    const second = xen.start("work", vifs);
    expect((await cards())?.map(({ device }) => device)).toEqual([`vif${second}.0`, `vif${second}.1`]);
  });
});

describe("xenstore", () => {
  it("is not asked where there is no Xen", async () => {
    expect(await xenCards(simDom0())()).toBeUndefined();
  });
  it("that does not answer is told", async () => {
    const dom0 = simDom0();
    dom0.write("/dev/xen/xenbus", "");
    dom0.program("xenstore-ls", () => ({ code: null, timedOut: true }));
    await expect(xenCards(dom0)()).rejects.toThrow("no answer in 10 s");
  });
  it("is not believed where it names no card", () => {
    const at = "/local/domain/0/backend/vif/5/0";
    expect(readCards(`${at}/mac = "00:16:3e"\n${at}/vifname = "vif-a"\n/local/domain/5/x/backend = ""\n`)).toEqual([]);
  });
});
