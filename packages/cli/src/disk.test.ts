import { generateKeyPairSync, randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromBase64 } from "@sallyport/shared/base/bytes.ts";
import { type Belongs, sealRecovery } from "@sallyport/shared/disk/sealed.ts";
import { afterAll, describe, expect, it } from "vitest";
import { hash } from "./crypto.ts";
import { makeOrganisationKey, unseal } from "./disk.ts";
import { Fault } from "./fault.ts";
import { hpke } from "./seal.ts";

const folder = mkdtempSync(join(tmpdir(), "sallyport-disk-key-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const path = join(folder, "organisation.pem");
const made = makeOrganisationKey(path);
const pem = readFileSync(path, "utf8");
const belongs = {
  workstation: "3f2b8c1e-4a5d-4e6f-8a9b-0c1d2e3f4a5b",
  volume: "01234567-89ab-cdef-0123-456789abcdef",
  slot: 1,
} as Belongs;
const sealed = sealRecovery(hash, hpke, fromBase64(made.publicKey), randomBytes(32), belongs, "11112222-33334444");
const codeOf = (act: () => unknown) => {
  try {
    act();
  } catch (error) {
    if (error instanceof Fault) return [error.code, error.message];
    throw error;
  }
  return [0, ""];
};

describe("the organisation's key", () => {
  it("is written for its owner alone, and never over a file that is there", () => {
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(codeOf(() => makeOrganisationKey(path))).toEqual([1, expect.stringContaining("cannot be written")]);
    expect(readFileSync(path, "utf8")).toBe(pem);
    expect(made.text).toContain(`recoveryTo: ${made.publicKey}`);
  });

  it.each([
    ["what is sealed", sealed],
    ["the body of its record", { sealed }],
    ["the content of its record", { text: "The recovery key …", body: { sealed } }],
    ["the whole record", { kind: "disk.recovery", content: { text: "", body: { sealed } } }],
  ])("opens %s", (_name, value) => {
    expect(unseal("file", JSON.stringify(value), pem)).toEqual({
      recoveryKey: "11112222-33334444",
      volume: belongs.volume,
      slot: 1,
    });
  });

  it("of another organisation does not, and neither does another kind of key", () => {
    const other = generateKeyPairSync("x25519").privateKey.export({ format: "pem", type: "pkcs8" }) as string;
    const signing = generateKeyPairSync("ed25519").privateKey.export({ format: "pem", type: "pkcs8" }) as string;
    const text = JSON.stringify(sealed);
    expect(codeOf(() => unseal("file", text, other))).toEqual([3, expect.stringContaining(`sealed to key ${made.id}`)]);
    expect(codeOf(() => unseal("file", text, signing))).toEqual([1, expect.stringContaining("ed25519")]);
    expect(codeOf(() => unseal("file", text, "no key"))).toEqual([1, expect.stringContaining("PEM")]);
    expect(codeOf(() => unseal("file", "{", pem))).toEqual([1, expect.stringContaining("JSON")]);
    expect(codeOf(() => unseal("file", "null", pem))[0]).toBe(3);
  });
});
