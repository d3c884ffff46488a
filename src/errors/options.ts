/** Options as callers hand them in: a misspelt one must not go unheard, since the call would then do something else than its caller means. */
import { invalidArgument, quote } from './base.js';
import { nearest } from './nearest.js';

/** Names of all members of an options type. The compiler sees to it that none is missing and none too many. */
export function optionNames<Options>(
  names: Readonly<Record<keyof Options, true>>,
): ReadonlySet<string> {
  return new Set(Object.keys(names));
}

/**
 * Looks at names only, and by a plain loop, because appends come here. Members that are undefined count as absent.
 * @param what - what takes the options, as the start of a sentence
 * @throws TypeError; its code is `UNKNOWN_OPTION` for a member that there is not
 */
export function checkOptionNames(options: unknown, known: ReadonlySet<string>, what: string): void {
  if (typeof options !== 'object' || options === null) {
    throw invalidArgument('the options must be an object');
  }
  for (const name in options) {
    if (known.has(name) || (options as Record<string, unknown>)[name] === undefined) continue;
    // What hangs on a prototype was not meant for this call.
    if (Object.hasOwn(options, name)) throw unknownOption(name, known, what);
  }
}

function unknownOption(name: string, known: ReadonlySet<string>, what: string): TypeError {
  const [near] = nearest(name, known, 1);
  const hint = near === undefined ? `there are ${[...known].join(', ')}` : `did you mean ${near}?`;
  return invalidArgument(`${what} has no option ${quote(name)}: ${hint}`, 'UNKNOWN_OPTION');
}
