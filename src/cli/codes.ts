/** The exit codes (docs/CLI.md, "Exit codes"). */

export const FINE = 0;
export const DIFFERS = 1;
export const WRONG_USE = 2;
export const REFUSED = 3;
export const NOT_FOUND = 4;
export const DISK = 5;
/** As Node ends when what it waits for can never come: whoever waits for a command that was lost must not take it for done. */
export const UNFINISHED = 13;
export const INTERRUPTED = 130;
