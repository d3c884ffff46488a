/** Paths in commands that somebody will copy into a shell. */

/** Nothing that a shell would take for something else. */
const PLAIN = process.platform === 'win32' ? /^[\w@%+=:,./\\-]+$/ : /^[\w@%+=:,./-]+$/;

/** One argument of a command: as it is where that is safe, else in the quotation marks of this system's shell. */
export function shellWord(text: string): string {
  if (PLAIN.test(text)) return text;
  return process.platform === 'win32' ? `"${text}"` : `'${text.replaceAll("'", "'\\''")}'`;
}
