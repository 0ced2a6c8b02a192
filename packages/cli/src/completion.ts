/** Completion scripts made from the commands there are. */
import type { Command } from "commander";
import { Fault } from "./fault.ts";

export const SHELLS = ["bash", "zsh"];

export function completion(root: Command, shell: string): string {
  if (!SHELLS.includes(shell)) throw new Fault(`There is completion for ${SHELLS.join(" and ")}, not for ${shell}.`);
  const cases = [root, ...root.commands, ...root.commands.flatMap((command) => command.commands)].map(caseOf);
  return `${shell === "zsh" ? "autoload -U +X bashcompinit && bashcompinit\n" : ""}_sallyport() {
  local first="" second="" words
  [ "$COMP_CWORD" -gt 1 ] && first="\${COMP_WORDS[1]}"
  [ "$COMP_CWORD" -gt 2 ] && second="\${COMP_WORDS[2]}"
  case "$first $second" in
${cases.join("\n")}
    *) words="--help" ;;
  esac
  COMPREPLY=($(compgen -W "$words" -f -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _sallyport sallyport
`;
}

/** After `policy` its commands; after `policy plan` that one's options. What has no commands has its options wherever. */
function caseOf(command: Command): string {
  const names = command.commands.map((each) => each.name());
  const words = [...names, ...command.options.map((each) => each.long), "--help"].join(" ");
  const parent = command.parent;
  if (!parent) return `    " ") words="${words}" ;;`;
  if (parent.parent) return `    "${parent.name()} ${command.name()}") words="${words}" ;;`;
  return `    "${command.name()} "${names.length === 0 ? "*" : ""}) words="${words}" ;;`;
}
