/** The exit codes (docs/CLI.md, "Exit codes"). */

export const FINE = 0;
export const DIFFERS = 1;
export const WRONG_USE = 2;
export const REFUSED = 3;
export const NOT_FOUND = 4;
export const DISK = 5;
export const INTERRUPTED = 130;
