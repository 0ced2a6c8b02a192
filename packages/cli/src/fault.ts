/** What a person is told on standard error; the command ends with `code` (1: an error of its own, 3: the answer is no). */
export class Fault extends Error {
  readonly code: 1 | 3;

  constructor(message: string, code: 1 | 3 = 1, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
