/**
 * Immer as folds use it: states between two drafts of one fold stay unfrozen, because freezing (and checking what is frozen) after every
 * event costs more than all the rest; the end of the fold freezes once.
 *
 * Several events may share a draft only while nothing but primitives was assigned into it. Immer drafts what it finds in its base, but hands
 * out what was assigned since as it is: a later event would change that very object, which may be a constant of the caller or a frozen part of
 * an event, and a draft assigned to a second place would change in both. With a draft for each event neither can happen.
 */
import { enableMapSet, Immer, isDraft } from 'immer';

enableMapSet();

const immer = new Immer({ autoFreeze: false });
const STATE = Symbol.for('immer-state');

/** Immer's own books of a tree of drafts: a callback for each draft, and one more for each object or draft that was assigned. */
interface Books {
  readonly callbacks: readonly unknown[];
  readonly drafts: readonly unknown[];
}

/** A draft that takes one event after the other. */
export interface OpenDraft {
  readonly draft: object;
  /** Undefined: this Immer keeps other books than we know. */
  readonly books: Books | undefined;
}

export function openDraft(state: object): OpenDraft {
  const draft = immer.createDraft(state) as object;
  return { draft, books: canRead ? booksOf(draft) : undefined };
}

/** The state that came of it; the very same one when nothing was changed. */
export function closeDraft({ draft }: OpenDraft): unknown {
  return immer.finishDraft(draft);
}

/** Whether only primitives were assigned so far, so that the next event may use the draft as well. */
export function isShareable({ books }: OpenDraft): boolean {
  return books !== undefined && books.callbacks.length === books.drafts.length;
}

function booksOf(draft: object): Books | undefined {
  const state: unknown = (draft as Record<symbol, unknown>)[STATE];
  if (typeof state !== 'object' || state === null) return undefined;
  const { callbacks_: callbacks, scope_: scope } = state as Record<string, unknown>;
  const drafts = (scope as Record<string, unknown> | undefined)?.['drafts_'];
  return Array.isArray(callbacks) && Array.isArray(drafts) ? { callbacks, drafts } : undefined;
}

interface Trial {
  n: number;
  child: { n: number };
  other: unknown;
  list: unknown[];
  map: Map<string, unknown>;
  set: Set<unknown>;
}

/** Tries whether Immer's books say what `isShareable` reads from them. Where they do not, every event gets a draft of its own: slower, never wrong. */
function tryBooks(): boolean {
  const told = (change: (draft: Trial) => void): boolean | undefined => {
    const draft = immer.createDraft<Trial>({
      n: 0,
      child: { n: 0 },
      other: null,
      list: [{}],
      map: new Map([['a', {}]]),
      set: new Set([{}]),
    }) as Trial;
    const books = booksOf(draft);
    change(draft);
    return books === undefined ? undefined : isShareable({ draft, books });
  };
  const shareable: ((draft: Trial) => void)[] = [
    (draft) => {
      draft.n += 1;
      draft.child.n += 1;
      draft.list.push(1);
      draft.list.shift();
    },
    (draft) => {
      draft.map.set('b', 1).delete('a');
      draft.set.add(1);
      for (const member of draft.set) isDraft(member);
    },
  ];
  const not: ((draft: Trial) => void)[] = [
    (draft) => {
      draft.other = {};
    },
    (draft) => {
      draft.other = draft.child;
    },
    (draft) => draft.list.push({}),
    (draft) => draft.list.unshift(1),
    (draft) => draft.map.set('b', {}),
    (draft) => draft.map.set('b', draft.child),
    (draft) => draft.set.add({}),
    (draft) => draft.set.add(draft.child),
  ];
  return (
    shareable.every((change) => told(change) === true) &&
    not.every((change) => told(change) === false)
  );
}

const canRead: boolean = tryBooks();
