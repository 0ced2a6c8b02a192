/** What the confined reader can ask of the scanner: the real clamd, reached by the door and by its own socket. */
import { existsSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { NOBODY } from "../../src/dom0/confine-args.ts";
import { openScannerDoor, type ScannerDoor } from "../../src/dom0/scanner-door.ts";
import { askVersion, fileAsker, startScan } from "../../src/gate/reader/clamd.ts";
import { type ClamdServer, EICAR, startClamd } from "./clamd-server.ts";
import { missing } from "./packages.ts";

const absent = missing("clamd");

/** What comes back until it hangs up. */
const said = (path: string, bytes: Buffer | string): Promise<string> =>
  new Promise((resolve) => {
    let text = "";
    const socket = connect(path, () => socket.write(bytes));
    socket.on("data", (more) => {
      text += more;
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve(text));
  });

describe.skipIf(absent !== null)("the door to the scanner", () => {
  let clamd: ClamdServer;
  let door: ScannerDoor;
  beforeAll(async () => {
    clamd = await startClamd();
    door = await openScannerDoor(clamd, NOBODY);
  });
  afterAll(async () => {
    await door?.close();
    await clamd?.stop();
  });

  const stream = (content: Buffer): Buffer => {
    const head = Buffer.alloc(4);
    head.writeUInt32BE(content.length);
    return Buffer.concat([Buffer.from("zINSTREAM\0"), head, content, Buffer.alloc(4)]);
  };

  it("passes streams and the question for the version", async () => {
    expect((await askVersion(door.path))?.engine).toMatch(/^ClamAV 1\./);
    for (const [content, answer] of [
      [EICAR, "infected"],
      ["harmless", "clean"],
      ["x".repeat(3_000_000), "clean"],
    ] as const) {
      const scan = startScan(door.path, 60_000);
      const bytes = Buffer.from(content);
      for (let at = 0; at < bytes.length; at += 65_536) await scan.write(bytes.subarray(at, at + 65_536));
      expect(await scan.finish()).toMatchObject({ answer });
    }
  });

  it("has room for the next one however many streams the reader gave up half-way", async () => {
    const giveUp = () =>
      new Promise<void>((resolve) => {
        const socket = connect(door.path, () =>
          socket.write(stream(Buffer.from("harmless")).subarray(0, -4), () => socket.destroy()),
        );
        socket.on("error", () => {});
        socket.on("close", () => resolve());
      });
    for (let count = 0; count < 70; count++) await giveUp();
    const answer = async () => {
      const scan = startScan(door.path, 10_000);
      await scan.write(Buffer.from(EICAR));
      return (await scan.finish()).answer;
    };
    await expect.poll(answer, { timeout: 10_000 }).toBe("infected");
  });

  it("passes no other command, in no form, and none behind a stream; clamd itself would take them", async () => {
    expect(await said(clamd.socket, "zSTATS\0")).toContain("POOLS");
    expect(await said(clamd.socket, "zSCAN /etc/hostname\0")).toContain("/etc/hostname");
    const commands = [
      "SHUTDOWN",
      "RELOAD",
      "PING",
      "STATS",
      "FILDES",
      "VERSIONCOMMANDS",
      "SCAN /etc/hostname",
      "CONTSCAN /etc",
      "MULTISCAN /",
      "ALLMATCHSCAN /",
    ];
    for (const command of commands)
      for (const bytes of [`z${command}\0`, `n${command}\n`, `${command}\n`, `zIDSESSION\0z${command}\0`])
        expect([bytes, await said(door.path, bytes)]).toEqual([bytes, ""]);
    for (const command of ["zSHUTDOWN\0", "zPING\0", "zSCAN /etc/hostname\0"]) {
      const answer = await said(door.path, Buffer.concat([stream(Buffer.from("harmless")), Buffer.from(command)]));
      expect(["", "stream: OK\0"]).toContain(answer);
    }
    expect((await askVersion(clamd.socket))?.engine).toMatch(/^ClamAV 1\./);
  });

  it("passes a file of the tray by its number, and nothing else by that way", async () => {
    const tray = door.tray!;
    writeFileSync(join(tray, "1"), EICAR, { mode: 0o644 });
    writeFileSync(join(tray, "2"), "harmless", { mode: 0o644 });
    writeFileSync(join(tray, "letter"), EICAR, { mode: 0o644 });
    const { ask } = fileAsker(door.path);
    const clean = { answer: "clean" };
    const infected = { answer: "infected", signature: "Test.Eicar.UNOFFICIAL" };
    const answers = [];
    for (const name of ["1", "2", "3", "2", "1"]) answers.push(await ask(name, 10_000));
    expect(answers).toEqual([infected, clean, null, clean, infected]);
    for (const command of [
      ...["zSCAN letter\0", "zSCAN ../1\0", "zSCAN ./1\0", "zSCAN 1/\0", "zSCAN \0", "zSCAN 1 2\0", "zSCAN 1\n2\0"],
      ...["zSCAN 1234567\0", "zSCAN /etc/hostname\0", "nSCAN 1\n", "SCAN 1\n", "zCONTSCAN 1\0", "zMULTISCAN 1\0"],
      ...["zscan 1\0", "zSCAN  1\0", "zSCAN +1\0", "zSCAN 1\r\0", "zEND\0", "zIDSESSION\0", "zINSTREAM\0"],
    ])
      expect([command, await said(door.path, `zIDSESSION\0${command}`)]).toEqual([command, ""]);
    // outside of a session clamd would name no number, and a reader asks in one
    expect(await said(door.path, "zSCAN 1\0")).toBe("");
    const streams = await openScannerDoor({ ...clamd, trays: null }, NOBODY);
    expect(await said(streams.path, "zIDSESSION\0zSCAN 1\0")).toBe("");
    await streams.close();
    expect((await askVersion(clamd.socket))?.engine).toMatch(/^ClamAV 1\./);
  });

  it("passes the next file of a session once the one before was answered, byte by byte too", async () => {
    const tray = door.tray!;
    writeFileSync(join(tray, "1"), EICAR, { mode: 0o644 });
    writeFileSync(join(tray, "2"), "harmless", { mode: 0o644 });
    for (const more of ["zSCAN 2\0", "zSHUTDOWN\0", "zPING\0", "zSCAN /etc/hostname\0"])
      expect(["", `1: ${tray}/2: OK\0`]).toContain(await said(door.path, `zIDSESSION\0zSCAN 2\0${more}`));
    const socket = connect(door.path);
    let heard = "";
    socket.on("data", (bytes) => {
      heard += bytes;
    });
    const say = async (text: string) => {
      for (const letter of text) await new Promise<void>((sent) => socket.write(letter, () => sent()));
    };
    await say("zIDSESSION\0zSCAN 2\0");
    await expect.poll(() => heard).toBe(`1: ${tray}/2: OK\0`);
    await say("zSCAN 1\0");
    await expect.poll(() => heard.split("\0")[1]).toBe(`2: ${tray}/1: Test.Eicar.UNOFFICIAL FOUND`);
    socket.destroy();
  });

  it("lets a session that clamd ended for its silence be followed by another, without a word", async () => {
    const hasty = await startClamd({ ReadTimeout: "1" });
    const short = await openScannerDoor(hasty, NOBODY);
    try {
      const file = join(short.tray!, "1");
      writeFileSync(file, EICAR, { mode: 0o644 });
      const { ask } = fileAsker(short.path);
      const infected = { answer: "infected", signature: "Test.Eicar.UNOFFICIAL" };
      expect(await ask("1", 10_000)).toEqual(infected);
      // one that begins behind it and is as silent ends behind it
      expect(await said(hasty.socket, `zIDSESSION\0zSCAN ${file}\0`)).toContain("COMMAND READ TIMED OUT");
      expect(await ask("1", 10_000)).toEqual(infected);
    } finally {
      await short.close();
      await hasty.stop();
    }
  });

  it("hangs up where the scanner is gone, and is gone itself when it is closed", async () => {
    const other = await openScannerDoor({ ...clamd, socket: `${clamd.socket}.absent` }, NOBODY);
    expect(await askVersion(other.path)).toBeNull();
    await other.close();
    expect([dirname(other.path), other.tray!].filter(existsSync)).toEqual([]);
  });
});
