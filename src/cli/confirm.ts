/** Asking before something is taken away. */
import { createInterface } from 'node:readline/promises';
import type { Context } from './context.js';
import { WrongUse } from './exit-codes.js';

/**
 * Asks on a terminal; elsewhere `--yes` must have been given.
 * @returns false when the answer was no
 * @throws WrongUse when there is nobody to ask
 */
export async function confirmed(
  context: Context,
  question: string,
  yes: boolean | undefined,
): Promise<boolean> {
  if (yes) return true;
  const { stdin, stderr, signal } = context.io;
  if (stdin.isTTY !== true || stderr.isTTY !== true) {
    throw new WrongUse(`${question} There is no terminal to ask on: say --yes to do it.`);
  }
  context.progress.clear();
  const reader = createInterface({ input: stdin, output: stderr, terminal: false });
  try {
    const answer = await reader.question(`${question} [y/N] `, { signal });
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    reader.close();
  }
}
