import { describe, expect, it } from "vitest";
import { checkPolicy, diffPolicies } from "./policy.ts";

const file = (name: string, text: string) => ({ file: name, text });

describe("the difference of two policies", () => {
  const before = file("old.yaml", "usb:\n  deviceRules: ['allow id 1d6b:0002', 'block']\n  unscannable: block\n");

  it("names what is lost and loosened first, and counts it", () => {
    const after = file(
      "new.yaml",
      "usb:\n  deviceRules: ['allow id 1d6b:0002']\n  unscannable: allow\n  infected: block\n",
    );
    const { text, value, loosens } = diffPolicies(before, after);
    const [summary, first, second] = text.split("\n");
    expect(summary).toBe("1 device rule removed; 1 loosened: unscannable files: block \u2192 allow.");
    expect(first).toMatch(/^removed +usb +device rule removed: block$/);
    expect(second).toMatch(/^looser +usb /);
    expect(loosens).toBe(true);
    expect(value.before).not.toBe(value.after);
  });

  it("says that nothing changes where only the writing does, and gives both the same digest", () => {
    const json = file(
      "same.json",
      JSON.stringify({ usb: { unscannable: "block", deviceRules: ["allow id 1d6b:0002", "block"] } }),
    );
    const { text, value, loosens } = diffPolicies(before, json);
    expect(text).toBe("Nothing changes.");
    expect(value.before).toBe(value.after);
    expect(loosens).toBe(false);
  });

  it("does not call it a loosening where all that changes is tighter", () => {
    const after = file(
      "new.yaml",
      "usb:\n  deviceRules: ['allow id 1d6b:0002', 'block']\n  unscannable: block\n  denySha256: ['" +
        "ab".repeat(32) +
        "']\n",
    );
    expect(diffPolicies(before, after).loosens).toBe(false);
  });

  it("says before all else what would cut every workstation off", () => {
    const after = file("new.yaml", "usb:\n  deviceRules: ['block']\n  unscannable: block\n");
    const { text, value } = diffPolicies(before, after);
    expect(text).toMatch(
      /^It cuts every workstation off from USB: no device rule allows a device any more\.\n1 device/,
    );
    expect(value.cutsOff).toHaveLength(1);
  });

  it("prints no escape that a rule smuggles in", () => {
    const after = file("new.yaml", 'usb:\n  deviceRules: ["allow name \\"\\u001b[2J\\""]\n  unscannable: block\n');
    expect(diffPolicies(before, after).text).not.toContain("\u001b");
  });

  it("names the document, line and path that cannot be read", () => {
    expect(() => diffPolicies(before, file("bad.yaml", "usb:\n  unscannable: perhaps\n"))).toThrow(
      /^bad\.yaml:2:\d+: usb\.unscannable: /,
    );
  });
});

describe("checking a policy", () => {
  it("finds a device rule that no gate could read", () => {
    expect(checkPolicy("p.yaml", "usb:\n  deviceRules: ['allow idd 1']\n")).toMatchObject({ valid: false });
  });
});

it("a document that sets nothing is valid, and is told from one that says something", () => {
  for (const text of ["", "# all of it is commented out\n", "version: 1\n"])
    expect(checkPolicy("empty.yaml", text).text).toMatch(/^Valid, and it sets nothing of its own: .* Its digest is /);
  expect(checkPolicy("block.yaml", "usb:\n  unscannable: block\n").text).toMatch(/^Valid\. Its digest is /);
});
