/** What the confined reader can ask of the scanner: the real clamd, reached by the door and by its own socket. */
import { existsSync } from "node:fs";
import { connect } from "node:net";
import { dirname } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openScannerDoor, type ScannerDoor } from "../../src/dom0/scanner-door.ts";
import { askVersion, startScan } from "../../src/gate/reader/clamd.ts";
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
    door = await openScannerDoor(clamd.socket);
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
      "IDSESSION",
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

  it("hangs up where the scanner is gone, and is gone itself when it is closed", async () => {
    const other = await openScannerDoor(`${clamd.socket}.absent`);
    expect(await askVersion(other.path)).toBeNull();
    await other.close();
    expect(existsSync(dirname(other.path))).toBe(false);
  });
});
