/** Completion scripts made from the commands there are. */
import type { Command } from "commander";
import { Fault } from "./fault.ts";

export const SHELLS = ["bash", "zsh"];

export function completion(root: Command, shell: string): string {
  if (!SHELLS.includes(shell)) throw new Fault(`There is completion for ${SHELLS.join(" and ")}, not for ${shell}.`);
  const cases = [root, ...root.commands].map((command) => {
    const words = [
      ...command.commands.map((each) => each.name()),
      ...command.options.map((each) => each.long),
      "--help",
    ];
    return `    ${command === root ? '""' : command.name()}) words="${words.join(" ")}" ;;`;
  });
  return `${shell === "zsh" ? "autoload -U +X bashcompinit && bashcompinit\n" : ""}_sallyport() {
  local first="" words
  [ "$COMP_CWORD" -gt 1 ] && first="\${COMP_WORDS[1]}"
  case "$first" in
${cases.join("\n")}
    *) words="--help" ;;
  esac
  COMPREPLY=($(compgen -W "$words" -f -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _sallyport sallyport
`;
}
