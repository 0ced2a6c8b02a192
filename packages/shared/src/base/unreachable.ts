/** Ends every `switch` over a union, so that a new state breaks the build where it matters. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}
