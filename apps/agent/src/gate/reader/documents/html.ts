/** As clamd knows HTML: by any of these near the start, in two-byte letters too. */
const HTML_BYTES = 8 * 1024;
const HTML = /<(?:html|head|body|a|iframe|img|object|script|table|meta|title|link|style|!doctype)[\s>/]/i;
export const looksHtml = (head: Buffer): boolean =>
  HTML.test(head.subarray(0, HTML_BYTES).toString("latin1").replaceAll("\0", ""));
