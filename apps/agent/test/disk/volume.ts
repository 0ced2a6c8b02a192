/** Keys are stretched as little as cryptsetup allows: what is tested is not how long Argon2 takes. */
export const QUICK = ["--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000"];
