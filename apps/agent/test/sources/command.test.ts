import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const command = fileURLToPath(new URL("../../src/sources/command.ts", import.meta.url));
const golden = (name: string) => fileURLToPath(new URL(`../../src/sources/golden/${name}`, import.meta.url));
const program = `import { Command } from "commander";
import { replayCommand } from ${JSON.stringify(command)};
const program = new Command("sallyport-agent");
replayCommand(program);
await program.parseAsync(process.argv.slice(1), { from: "user" });`;

async function replay(args: string[], input = "") {
  const child = spawn(process.execPath, ["--input-type=module", "-e", program, "--", "replay", ...args], {
    cwd: fileURLToPath(new URL("../..", import.meta.url)),
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text) => {
    stderr += text;
  });
  child.stdin.on("error", () => {}).end(input);
  const [code] = await once(child, "close");
  return { code, stdout, stderr };
}

it("replay prints one record a line, of a file or of standard input", async () => {
  const { code, stdout, stderr } = await replay(["--source", "ulogd", golden("ulogd2.json")]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const records = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(records).toHaveLength(5);
  expect(records[0]).toMatchObject({
    kind: "net.drop",
    severity: "notice",
    time: expect.stringMatching(/^\d{4}-.*Z$/),
  });

  const piped = await replay(["--source", "eve", "-"], '{"event_type":"flow","flow_id":18446744073709551615}\ntorn');
  expect(
    piped.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line).kind),
  ).toEqual(["ids.event", "agent.malformed"]);
  expect(piped.stdout).toContain('"flow_id":"18446744073709551615"');
});

it("replay says what is wrong on standard error, with exit code 1", async () => {
  const absent = await replay(["--source", "eve", "/nowhere/eve.json"]);
  const stderr = "/nowhere/eve.json cannot be read: there is no such file or folder.\n";
  expect(absent).toEqual({ code: 1, stdout: "", stderr });
  const unknown = await replay(["--source", "fax", "/dev/null"]);
  expect(unknown).toMatchObject({
    code: 1,
    stdout: "",
    stderr: expect.stringContaining("Allowed choices are syslog, console, eve, ulogd, snare"),
  });
});
