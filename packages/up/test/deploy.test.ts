/** deploy/: what can be checked without systemd and without containers. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { mayPublish, maySubscribe } from "../src/acl.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const DEPLOY = join(ROOT, "deploy");
const ID = "0a6e24d2-9c86-4c93-a1a5-1cf2f2b1c001";

/** Sections of an ini file: each key with its values. */
function unit(text: string): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const line of text.split("\n")) {
    const match = /^(\w+)=(.*)$/.exec(line);
    if (match) found.set(match[1]!, [...(found.get(match[1]!) ?? []), match[2]!]);
    else expect(line).toMatch(/^(?:\[\w+\]|#.*|)$/);
  }
  return found;
}

describe("deploy/", () => {
  it("has a compose file whose services name files and programs that are there", () => {
    const compose = parse(readFileSync(join(DEPLOY, "compose/compose.yaml"), "utf8"), { merge: true });
    expect(Object.keys(compose.services)).toEqual(["postgres", "prepare", "broker", "worker", "worker-2", "console"]);
    for (const [name, service] of Object.entries<{ command?: string[]; depends_on?: object; volumes?: string[] }>(
      compose.services,
    )) {
      for (const other of Object.keys(service.depends_on ?? {})) expect(compose.services, name).toHaveProperty(other);
      const script = service.command?.find((word) => word.endsWith(".ts"));
      if (script) expect(existsSync(join(ROOT, script)), script).toBe(true);
      for (const volume of service.volumes ?? []) {
        const [from] = volume.split(":");
        if (from!.startsWith(".")) expect(existsSync(join(DEPLOY, "compose", from!)), from).toBe(true);
        else if (/^[a-z]+$/.test(from!)) expect(compose.volumes).toHaveProperty(from!);
      }
    }
  });

  it("gives the broker's container its files from where prepare writes them, and no other key", () => {
    const { services, volumes } = parse(readFileSync(join(DEPLOY, "compose/compose.yaml"), "utf8"), { merge: true });
    const to = services.prepare.environment.SALLYPORT_BROKER_FILES;
    expect(services.prepare.environment.DATABASE_URL).toMatch(/^postgresql:/);
    expect(services.prepare.volumes).toContain(`broker:${to}`);
    expect(services.broker.volumes).toContain("broker:/etc/mosquitto/certs:ro");
    expect(services.broker.volumes.filter((volume: string) => volume.startsWith("state:"))).toEqual([]);
    expect(Object.keys(volumes)).toEqual(["database", "state", "broker"]);
    const image = readFileSync(join(DEPLOY, "compose/Dockerfile"), "utf8");
    for (const folder of [to, "/var/lib/sallyport"])
      expect(image).toMatch(new RegExp(`chown node:node .*${folder}\\b`));
  });

  it("keeps keys, history and what was installed out of the image", () => {
    const ignored = readFileSync(join(ROOT, ".dockerignore"), "utf8").split("\n");
    for (const name of [".sallyport", ".git", ".cache", "**/node_modules", "**/.next", "sallyport-backup", "**/*.key"])
      expect(ignored).toContain(name);
    expect(ignored.filter((line) => line.startsWith("!"))).toEqual([]);
  });

  it("has a timer for the unit that renews certificates, which installs the broker's as the documents do", () => {
    expect(unit(readFileSync(join(DEPLOY, "systemd/sallyport-prepare.timer"), "utf8")).has("OnCalendar")).toBe(true);
    const text = readFileSync(join(DEPLOY, "systemd/sallyport-prepare.service"), "utf8");
    const posts = unit(text).get("ExecStartPost") ?? [];
    const key = "install -o mosquitto -g mosquitto -m 0400 /var/lib/sallyport/keys/broker.key /etc/mosquitto/certs/";
    expect(posts).toContain(`+/usr/bin/${key}`);
    expect(readFileSync(join(ROOT, "docs/operations.md"), "utf8")).toContain(key);
    expect(posts.at(-1)).toMatch(/try-restart mosquitto\.service sallyport-worker@\*\.service$/);
  });

  it("has units that start programs that are there", () => {
    const units = readdirSync(join(DEPLOY, "systemd")).filter((name) => name.endsWith(".service"));
    expect(units).toHaveLength(3);
    for (const name of units) {
      const found = unit(readFileSync(join(DEPLOY, "systemd", name), "utf8"));
      const start = found.get("ExecStart")![0]!;
      const folder = found.get("WorkingDirectory")![0]!;
      for (const word of start.split(" ").filter((each) => /\.ts$|\/(?:node|next)$/.test(each))) {
        const path = word.startsWith("/") ? word : `${folder}/${word}`;
        expect(existsSync(path.replace("/opt/sallyport", ROOT)), path).toBe(true);
      }
    }
  });

  it("gives Mosquitto the rules that the embedded broker has", () => {
    const lines = readFileSync(join(DEPLOY, "mosquitto/sallyport.acl"), "utf8").split("\n");
    const patterns = lines.flatMap((line) => {
      const match = /^pattern (write|read) (\S+)$/.exec(line);
      return match ? [{ access: match[1], topic: match[2]!.replace("+", ID.slice(0, 2)).replace("%u", ID) }] : [];
    });
    expect(patterns.filter(({ access }) => access === "write").every(({ topic }) => mayPublish(ID, topic))).toBe(true);
    expect(patterns.filter(({ access }) => access === "read").every(({ topic }) => maySubscribe(ID, topic))).toBe(true);
    expect(patterns).toHaveLength(7);
    expect(lines).toContain("topic readwrite sallyport/#");
  });
});
