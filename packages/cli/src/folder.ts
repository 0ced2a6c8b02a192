/** A folder of policies, `GROUP.yaml` each, and `rollouts/GROUP.yaml` with waves and guards ↔ disk. */
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { basename, extname, join } from "node:path";
import { whyNot } from "@sallyport/shared/base/why.ts";
import { FILES_MAX, type RepositoryFile } from "@sallyport/shared/policy/repository/files.ts";
import { Fault } from "./fault.ts";
import { readArgumentFile } from "./file.ts";

const KINDS = [".yaml", ".yml", ".json"];
const ROLLOUTS = "rollouts";

/** In the order of their names. Other kinds of files, and those whose name begins with a dot, are nobody's policy.
 *  @throws Fault */
export function readFolder(folder: string): RepositoryFile[] {
  const names = namesIn(folder);
  const plans = new Map(
    names.some((name) => name === ROLLOUTS)
      ? namesIn(join(folder, ROLLOUTS))
          .filter(isPolicy)
          .map((name) => [stem(name), name])
      : [],
  );
  const policies = names.filter(isPolicy);
  if (policies.length === 0) throw new Fault(`${folder} holds no policy: one file a group, as floor.yaml.`);
  if (policies.length > FILES_MAX)
    throw new Fault(`${folder} holds ${policies.length} policies; at most ${FILES_MAX}.`);
  const files = policies.map((name): RepositoryFile => {
    const group = stem(name);
    const plan = plans.get(group);
    plans.delete(group);
    return {
      file: name,
      group,
      source: readArgumentFile(join(folder, name)),
      ...(plan !== undefined && {
        rollout: { file: `${ROLLOUTS}/${plan}`, source: readArgumentFile(join(folder, ROLLOUTS, plan)) },
      }),
    };
  });
  const [lone] = plans.values();
  if (lone !== undefined) throw new Fault(`${ROLLOUTS}/${lone} is for a group that has no file beside ${ROLLOUTS}/.`);
  return files;
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch (error) {
    throw new Fault(`${folder} cannot be read: ${whyNot(error)}.`, 1, { cause: error });
  }
}

const isPolicy = (name: string): boolean => KINDS.includes(extname(name)) && !name.startsWith(".");
const stem = (name: string): string => basename(name, extname(name)).normalize("NFKC");

export type Written = { file: string; group: string; did: "written" | "as it was" };

/** A file that holds something else is left alone, and nothing is written, unless `overwrite`.
 *  @throws Fault */
export function writeFolder(
  folder: string,
  texts: readonly { group: string; source: string }[],
  overwrite: boolean,
): Written[] {
  mkdirSync(folder, { recursive: true });
  const there = new Map(
    namesIn(folder)
      .filter(isPolicy)
      .map((name) => [stem(name), name]),
  );
  const files = texts.map(({ group, source }) => {
    const file = there.get(group) ?? `${group}.yaml`;
    const old = there.has(group) ? readArgumentFile(join(folder, file)) : undefined;
    return { file, group, source, old };
  });
  const others = files.filter(({ source, old }) => old !== undefined && old !== source);
  if (others.length > 0 && !overwrite)
    throw new Fault(
      `${others.map(({ file }) => join(folder, file)).join(", ")}: ${others.length === 1 ? "it holds" : "they hold"} something else. Nothing was written; --overwrite puts the console's in ${others.length === 1 ? "its" : "their"} place.`,
    );
  return files.map(({ file, group, source, old }) => {
    if (old !== source) writeFileSync(join(folder, file), source);
    return { file, group, did: old === source ? "as it was" : "written" };
  });
}
