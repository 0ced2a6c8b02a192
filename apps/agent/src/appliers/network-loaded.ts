/** The table that we loaded last, and what the kernel made of its text: what stands is held against that. */
import { asideOf } from "@sallyport/shared/policy/network/compile.ts";
import { TABLE } from "@sallyport/shared/policy/network/nft.ts";
import type { Ruleset } from "../dom0/ruleset.ts";
import type { Seen } from "./network-found.ts";
import { differences, hooked, type ReadTable, readTable, type TableContent } from "./network-table.ts";

/** Where a copy of a table is checked that judges no packet. */
const ASIDE = `${TABLE}-check`;

/** `kept`: the text on disk, of this life or of the one before. */
export class LoadedTable {
  readonly #ruleset: Ruleset;
  readonly #family: "inet" | "bridge";
  readonly #kept: () => Promise<string | undefined>;
  /** `about`: of which section. */
  #loaded: { about: string; content: TableContent } | undefined;

  constructor(ruleset: Ruleset, family: "inet" | "bridge", kept: () => Promise<string | undefined>) {
    this.#ruleset = ruleset;
    this.#family = family;
    this.#kept = kept;
  }

  isNow(about: string, content: TableContent): void {
    this.#loaded = { about, content };
  }

  /** What the kernel makes of a table's text: loaded under another name and hooked nowhere, listed, and taken away. */
  async aside(text: string): Promise<TableContent | undefined> {
    const name = { family: this.#family, table: ASIDE };
    try {
      if (!(await this.#ruleset.load(asideOf(text, this.#family, ASIDE))).ok) return undefined;
      const listing = await this.#ruleset.list(name);
      return listing === undefined ? undefined : hooked(readTable(listing).content, this.#family);
    } finally {
      await this.#ruleset.remove(name);
    }
  }

  /** Against what the kernel made of the same text; after a restart that is learnt from the text on disk. */
  async differsFrom(table: ReadTable): Promise<string[]> {
    if (table.about !== undefined && this.#loaded?.about !== table.about) {
      const text = firstTable(await this.#kept());
      if (text?.includes(`comment "${table.about}"`)) {
        const content = await this.aside(text);
        if (content) this.#loaded = { about: table.about, content };
      }
    }
    if (!this.#loaded || this.#loaded.about !== table.about) return ["the table was loaded by another"];
    return differences(this.#loaded.content, table.content);
  }

  /** Against what we loaded last, in this life or, by the text on disk, in the one before. */
  driftOf({ about, differs }: Pick<Seen, "about" | "differs">): string[] {
    if (!this.#loaded) return [];
    if (about === null) return ["our table is gone"];
    return about === this.#loaded.about ? differs : ["another table stands in its place"];
  }
}

/** What stands behind it is of the other wire (network-closed.ts). */
const firstTable = (text: string | undefined): string | undefined => text?.replace(/^\}\n[\s\S]*/m, "}\n");
