/** Asking before something is taken away. */
import { Answers } from './answers.js';
import type { Context } from './context.js';
import { guarded } from './escape.js';
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
  const { stdin, stderr } = context.io;
  if (stdin.isTTY !== true || stderr.isTTY !== true) {
    throw new WrongUse(`${question} There is no terminal to ask on: say --yes to do it.`);
  }
  context.progress.clear();
  const answers = new Answers(context.io);
  try {
    const answer = await answers.ask(`${guarded(question, false)} [y/N] `);
    return /^y(es)?$/i.test(answer ?? '');
  } finally {
    answers.end();
  }
}
