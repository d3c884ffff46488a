/** Changes that callers make by a function that is handed a draft. */
import { type Draft, Immer } from 'immer';
import { invalidArgument } from '../errors.js';

/** Without freezing: what a caller puts into a draft stays the caller's. */
const immer = new Immer({ autoFreeze: false });

/** What the function makes of the value: what it returns, or the draft as it left it. @throws TypeError for what a draft cannot take; what the function throws */
export function replaced(value: unknown, change: (draft: unknown) => unknown): unknown {
  return drafted(() => immer.produce(value, (draft: unknown) => atOnce(change(draft))));
}

/** The draft as the function left it, whatever it returns. @throws as {@link replaced} */
export function altered<T extends object>(value: T, change: (draft: Draft<T>) => unknown): T {
  return drafted(() => {
    const draft = immer.createDraft(value) as Draft<T>;
    atOnce(change(draft));
    return immer.finishDraft(draft) as T;
  });
}

function atOnce(answer: unknown): unknown {
  if (!(answer instanceof Promise)) return answer;
  // Nobody else hears what becomes of it.
  answer.catch(() => {});
  throw invalidArgument(
    'a change must not be asynchronous: it changes the draft at once; await what it needs before',
  );
}

const REFUSAL = '[Immer] ';

function drafted<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith(REFUSAL)) throw error;
    const said = error.message.slice(REFUSAL.length);
    const refusal = invalidArgument(
      `a change must change the draft, or return what takes its place, and not both (draft => { draft.n = 1 } with braces returns nothing): ${said}`,
    );
    throw Object.assign(refusal, { cause: error });
  }
}
