import { describe, expect, it } from "vitest";
import { AgentConfig } from "../config.ts";
import { simDom0 } from "../sim/sim.ts";
import { firstConfig } from "./first-config.ts";
import { findGuestFiles } from "./guest-files.ts";
import { guestsOf, lookAtMachine, type Machine, volumesOf } from "./machine.ts";

/** As libxl prints them: `xl list --long` of Xen 4.20, what is not looked at left out. */
const LONG = JSON.stringify([
  { domid: 0, config: { c_info: { type: "pv", name: "Domain-0" }, b_info: { "type.pv": {} } } },
  {
    domid: 3,
    config: {
      c_info: { type: "hvm", name: "Primary Desk", uuid: "6a8f" },
      b_info: { max_vcpus: 2, "type.hvm": { firmware: "seabios" } },
      disks: [{ pdev_path: "/dev/mapper/primary", vdev: "xvda", format: "raw", readwrite: 1 }],
      nics: [
        {
          devid: 0,
          mac: "00:16:3e:77:00:02",
          bridge: "xenbr0",
          ip: "10.77.0.2",
          script: "vif-bridge",
          ifname: "vif-primary",
          nictype: "vif",
        },
      ],
      channels: [
        { devid: 0, name: "log", connection: "socket", "connection.socket": { path: "/run/xen/primary-log.sock" } },
      ],
      pcidevs: [{ dev: 0, bus: 1 }],
      on_reboot: "restart",
    },
  },
  {
    domid: 4,
    config: {
      c_info: { name: "second" },
      disks: [{ pdev_path: "/dev/vg/second" }],
      nics: [{ mac: "00:16:3e:77:00:03", bridge: "xenbr0" }],
    },
  },
]);
const LSBLK = JSON.stringify({
  blockdevices: [
    {
      path: "/dev/sda",
      type: "disk",
      uuid: null,
      children: [
        { path: "/dev/sda1", type: "part", uuid: "aaaa-1" },
        {
          path: "/dev/sda2",
          type: "part",
          uuid: "6b1f0000-1111-4222-8333-444444444444",
          children: [{ path: "/dev/mapper/primary", type: "crypt", uuid: null }],
        },
        {
          path: "/dev/sda3",
          type: "part",
          uuid: "bbbb-2",
          children: [
            {
              path: "/dev/mapper/root",
              type: "crypt",
              uuid: null,
              children: [{ path: "/dev/mapper/vg-second", type: "lvm", uuid: null }],
            },
          ],
        },
      ],
    },
  ],
});
const PIN = { port: "1-2", descriptors: "a".repeat(64) };
const KEYBOARD = {
  port: "1-2",
  id: "046d:c31c",
  maker: "Logitech",
  name: "K120",
  interfaces: ["03:01:01"],
  descriptors: PIN.descriptors,
};

const usb = (seen: Partial<Machine["usb"]> = {}): Machine["usb"] => ({
  controllers: 2,
  pinned: { pins: [PIN], devices: [KEYBOARD as never], unreadable: [] },
  unpinned: [],
  needed: [],
  ...seen,
});
const machine = (more: Partial<Machine> = {}): Machine => ({
  guests: guestsOf(LONG),
  guestFiles: [{ file: "/etc/xen/desk.cfg", name: "Primary Desk" }],
  consoles: { folder: "/var/log/xen/console", files: ["guest-Primary Desk.log"] },
  volumes: volumesOf({ text: LSBLK }),
  bridgeAddresses: { xenbr0: "10.77.0.1" },
  programs: { suricata: true, ulogd: true },
  usb: usb(),
  ...more,
});
const made = (more: Partial<Machine> = {}) => {
  const first = firstConfig(machine(more));
  if ("none" in first) throw new Error(first.none);
  return { config: AgentConfig.parse(first.config), words: first.words.join("\n") };
};

describe("the configuration of a machine that is enrolled", () => {
  it("guards what was seen of it: guests, wire, volume, ports", () => {
    const { config, words } = made();
    expect(config).toMatchObject({
      guests: [
        {
          id: "primary-desk",
          console: "Primary Desk",
          addresses: ["10.77.0.2"],
          sockets: ["/run/xen/primary-log.sock"],
          xlConfig: "/etc/xen/desk.cfg",
        },
        { id: "second", console: "second" },
      ],
      domains: { "primary-desk": "Primary Desk", second: "second" },
      consoles: [{ folder: "/var/log/xen/console", pattern: "guest-*.log" }],
      udp: [{ host: "10.77.0.1", port: 514 }],
      channels: ["/run/xen/primary-log.sock"],
      ulogd: ["/var/log/sallyport-agent/drops.json"],
      firewall: {
        wire: "bridged",
        vifs: [{ name: "vif-primary", guest: "primary-desk", mac: "00:16:3e:77:00:02", addresses: ["10.77.0.2"] }],
      },
      ids: { interface: "xenbr0" },
      disk: { volume: "/dev/disk/by-uuid/6b1f0000-1111-4222-8333-444444444444", mapping: "primary" },
      usb: { guest: { by: "xl", guest: "Primary Desk" }, pins: [PIN], withoutKeyboard: false },
    });
    expect(words).toContain("Some vifs have no name of their own and are not filtered");
    expect(words).toContain("USB: gated from the first start on");
    expect(words).toContain("1-2  046d:c31c  Logitech K120");
  });

  it("says what a guest of which only the IPv4 was seen may use of IPv6", () => {
    const onBridge = "Of IPv6 vif-primary may use the one address that is made from the MAC";
    expect(made().words).toContain(onBridge);
    const nicsOf = (more: object) =>
      guestsOf(LONG)!.map((guest) => ({ ...guest, nics: guest.nics.map((nic) => ({ ...nic, ...more })) }));
    expect(made({ guests: nicsOf({ addresses: ["10.77.0.2", "2001:db8::2"] }) }).words).not.toContain("Of IPv6");
    expect(made({ guests: nicsOf({ addresses: [] }) }).words).not.toContain("Of IPv6");
    expect(made({ guests: nicsOf({ bridge: undefined }) }).words).toContain(
      "Of IPv6 vif-primary may use the link's own addresses alone",
    );
  });

  it("names what a guest is started from where that is certain, and says why it is not", () => {
    const of = (...guestFiles: Machine["guestFiles"]) => {
      const { config, words } = made({ guestFiles });
      return { file: config.guests[0]?.xlConfig, words: /^Guest primary-desk .*$/m.exec(words)?.[0] };
    };
    const [desk, more] = ["/etc/xen/desk.cfg", "/etc/xen/auto/desk"].map((file) => ({ file, name: "Primary Desk" }));
    expect(of(desk!)).toEqual({ file: desk!.file, words: `Guest primary-desk is started from ${desk!.file}.` });
    const no = (why: string) => ({ words: expect.stringContaining(`cannot be started by an order: ${why}`) });
    expect(of()).toEqual(no("no file in /etc/xen is for it"));
    expect(of({ ...desk!, name: "primary desk" })).toEqual(no("no file in /etc/xen is for it"));
    expect(of(desk!, more!)).toEqual(no(`several files are for it (${desk!.file}, ${more!.file})`));
    expect(of({ ...desk!, fault: "/etc/xen belongs to user 7" })).toEqual(no("/etc/xen belongs to user 7"));
  });

  it("hands sticks to nobody where it cannot tell to whom", () => {
    const two = guestsOf(LONG)!.map((guest) => ({ ...guest, passedThrough: 0 }));
    const { config, words } = made({ guests: two });
    expect(config.usb?.guest).toBeUndefined();
    expect(words).toContain("What passes is handed to nobody");
    expect(words).toContain("for larger ones name another (usb.volume");
  });

  it("does not gate what would lock out the only keyboard, and says so", () => {
    const odd = { pinned: { pins: [], devices: [], unreadable: [] }, unpinned: ["1-3 dead:beef Keyboard with a disk"] };
    const { config, words } = made({ usb: usb(odd) });
    expect(config.usb).toBeUndefined();
    expect(words).toMatch(/USB: not gated, because that would cut off the only keyboard \(1-3 dead:beef/);
    expect(made({ usb: usb({ pinned: odd.pinned }) }).config.usb).toMatchObject({ withoutKeyboard: true, pins: [] });
  });

  it("does not gate what would cut off dom0's own disk or network, and names it", () => {
    const needed = [{ port: "1-4", why: "sda2 is mounted at /" }];
    const { config, words } = made({ usb: usb({ needed }) });
    expect(config.usb).toBeUndefined();
    expect(words).toContain(
      "USB: not gated, because that would cut off what dom0 itself stands on: 1-4 (sda2 is mounted at /)",
    );
  });

  it("is none on a machine that is no dom0, with the reason", () => {
    expect(firstConfig(machine({ guests: null, whyNoGuests: "cannot start xl" }))).toEqual({
      none: expect.stringMatching(/no Xen dom0 \(cannot start xl\)\. USB is not gated/),
    });
  });

  it("leaves out what was not seen, and says each", () => {
    const { config, words } = made({
      guests: [],
      guestFiles: [],
      consoles: null,
      volumes: [],
      bridgeAddresses: {},
      programs: { suricata: false, ulogd: false },
      usb: usb({ controllers: 0 }),
    });
    expect(config).toMatchObject({ guests: [], udp: [], consoles: [], ulogd: [] });
    expect([config.firewall, config.ids, config.disk, config.usb]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    for (const said of [
      "No guest runs",
      "No console's log",
      "No syslog",
      "Nothing is watched",
      "No volume",
      "nothing to gate",
    ])
      expect(words).toContain(said);
  });
});

it("files of guests are found in /etc/xen by the name in each, a link as what it leads to", async () => {
  const dom0 = simDom0();
  dom0.write("/etc/xen/work.cfg", '# name = "no"\nname = "work"\nmemory = 512\n');
  dom0.write("/etc/xen/guests/play.cfg", "type='pvh'\n  name='play'\n");
  dom0.own("/etc/xen/guests/play.cfg", { mode: 0o666 });
  dom0.write("/etc/xen/auto/old", 'name="old"');
  dom0.write("/srv/xen/far", 'name = "far"');
  for (const [path, text] of [
    ["/etc/xen/xl.conf", 'name = "no"'],
    ["/etc/xen/nameless.cfg", "memory = 1\n"],
    ["/etc/xen/scripts/block", 'name = "no"'],
  ])
    dom0.write(path!, text!);
  const links = { "/etc/xen/auto/work.cfg": "/etc/xen/work.cfg", "/etc/xen/auto/far": "/srv/xen/far" };
  for (const path of [...Object.keys(links), "/etc/xen/auto/broken"]) dom0.link(path);
  dom0.program("readlink", (args) => {
    const target = links[args.at(-1) as keyof typeof links];
    return target === undefined ? { code: 1 } : { stdout: `${target}\0` };
  });
  expect((await findGuestFiles(dom0)).sort((a, b) => (a.file < b.file ? -1 : 1))).toEqual([
    { file: "/etc/xen/auto/old", name: "old" },
    { file: "/etc/xen/guests/play.cfg", name: "play", fault: expect.stringContaining("(mode 666)") },
    { file: "/etc/xen/work.cfg", name: "work" },
    { file: "/srv/xen/far", name: "far" },
  ]);
});

it("a machine is looked at by its own programs, and what they do not say is absent", async () => {
  const dom0 = simDom0();
  dom0.program("xl", () => ({ stdout: LONG }));
  dom0.program("lsblk", () => ({ stdout: LSBLK }));
  dom0.program("ip", () => ({
    stdout: JSON.stringify([
      {
        ifname: "xenbr0",
        addr_info: [
          { family: "inet6", local: "fe80::1" },
          { family: "inet", local: "10.77.0.1" },
        ],
      },
    ]),
  }));
  const ports = { controllers: async () => [], plugged: async () => [], read: async () => undefined };
  const needed = [{ port: "1-4", why: "enx0 carries the default route" }];
  expect(await lookAtMachine(dom0, ports, async () => needed)).toMatchObject({
    guests: [{ name: "Primary Desk" }, { name: "second" }],
    volumes: [{ mapping: "primary" }, { mapping: "root" }],
    bridgeAddresses: { xenbr0: "10.77.0.1" },
    programs: { suricata: false, ulogd: false },
    usb: { needed },
  });
  const bare = await lookAtMachine(simDom0(), ports, async () => []);
  expect(bare).toMatchObject({ guests: null, whyNoGuests: expect.stringContaining("xl"), volumes: [], consoles: null });
});
