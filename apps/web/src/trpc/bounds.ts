/** Calls in one request: a page asks for a handful at once. */
export const BATCH_CALLS_MAX = 24;
