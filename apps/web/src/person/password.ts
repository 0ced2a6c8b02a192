/** Long rather than odd (NIST SP 800-63B): length is the one rule. */
export const PASSWORD_CHARS_MIN = 12;
