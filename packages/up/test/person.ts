/** A person at a running console, over HTTP as a browser has it: a session by its cookie, procedures by their names. */
export class Person {
  readonly #url: string;
  #cookie = "";

  constructor(url: string) {
    this.#url = url;
  }

  /** A query. */
  ask<T>(procedure: string, input?: unknown): Promise<T> {
    const query = input === undefined ? "" : `?input=${encodeURIComponent(JSON.stringify(input))}`;
    return this.#answer(fetch(`${this.#url}/api/trpc/${procedure}${query}`, { headers: { cookie: this.#cookie } }));
  }

  /** A mutation. */
  tell<T>(procedure: string, input: unknown): Promise<T> {
    return this.#answer(this.#post(`/api/trpc/${procedure}`, input));
  }

  async signIn({ email, password }: { email: string; password: string }): Promise<void> {
    const response = await this.#post("/api/auth/sign-in/email", { email, password });
    if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
    await response.body?.cancel();
    this.#cookie = response.headers
      .getSetCookie()
      .map((each) => each.split(";")[0])
      .join("; ");
  }

  #post(path: string, body: unknown): Promise<Response> {
    return fetch(`${this.#url}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", origin: this.#url, cookie: this.#cookie },
      body: JSON.stringify(body),
    });
  }

  /** @throws the console's own sentence where it refuses */
  async #answer<T>(asked: Promise<Response>): Promise<T> {
    const { result, error } = (await (await asked).json()) as {
      result?: { data: T };
      error?: { message: string };
    };
    if (!result) throw new Error(error?.message ?? "no answer");
    return result.data;
  }
}
