/** A pack's chunks → a body at its reader's pace, that ends when the reader is gone or takes nothing for too long. */
export type Streamed = {
  chunks: AsyncGenerator<Uint8Array>;
  /** All was given, or it broke off; again has no effect. */
  ended(): void;
  signal: AbortSignal;
  unreadMsMax: number;
};

export function streamPack({ chunks, ended, signal, unreadMsMax }: Streamed): ReadableStream<Uint8Array> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let onAbort: () => void = () => undefined;
  const rest = () => {
    ended();
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  };
  return new ReadableStream<Uint8Array>({
    start(controller) {
      onAbort = () => fail(controller, new Error("The client is gone."));
      signal.addEventListener("abort", onAbort);
      if (signal.aborted) onAbort();
    },
    async pull(controller) {
      clearTimeout(timer);
      try {
        const next = await chunks.next();
        if (next.done) {
          rest();
          return controller.close();
        }
        // set first: `enqueue` may ask for the next one at once
        timer = setTimeout(
          () => fail(controller, new Error(`Nothing was read for ${unreadMsMax / 1000} seconds: the export ends.`)),
          unreadMsMax,
        );
        controller.enqueue(next.value);
      } catch (error) {
        fail(controller, error as Error);
      }
    },
    cancel: rest,
  });

  function fail(controller: ReadableStreamDefaultController<Uint8Array>, error: Error): void {
    rest();
    controller.error(error);
  }
}
