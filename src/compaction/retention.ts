/**
 * Which segment may be dropped. Rules are about events, segments go as a whole: one goes when every event in it may, so that nothing goes early
 * and something may stay longer. Only the oldest go, without a gap, so that what is kept is one piece.
 */
import type { RetentionSettings } from './options.js';

/** A segment of the archive. */
export interface Candidate {
  readonly first: number;
  readonly last: number;
  /** Of its last commit, milliseconds since 1970. */
  readonly lastTime: number;
  /** Categories of the streams in it. */
  readonly categories: ReadonlySet<string>;
}

/** A projection that reads this store, and up to where a snapshot spares it the events. */
export interface Covered {
  readonly name: string;
  readonly covered: number;
}

export type Verdict =
  | { readonly kind: 'drop' }
  /** No rule asks for it to go. */
  | { readonly kind: 'keep' }
  /** It should go and must not. */
  | { readonly kind: 'refused'; readonly reason: string; readonly projection?: string };

const DAY_MS = 86_400_000;

/**
 * @param archiveBytes - of the archive with this segment and all behind it
 * @param now - milliseconds since 1970
 */
export function judge(
  rules: RetentionSettings,
  candidate: Candidate,
  archiveBytes: number,
  now: number,
  projections: readonly Covered[],
): Verdict {
  const age = (now - candidate.lastTime) / DAY_MS;
  const isPast = (days: number | undefined) => days !== undefined && age > days;
  // The store's own events are notes of what it did; they hold nothing back.
  const categories = [...candidate.categories].filter((category) => !category.startsWith('$'));
  const own = categories.filter((category) => rules.categories.has(category));
  const tooLarge = rules.bytes !== undefined && archiveBytes > rules.bytes;
  const isGeneral = categories.length === 0 || own.length < categories.length;
  if (isGeneral && !isPast(rules.days) && !tooLarge) return { kind: 'keep' };
  const holding = own.find((category) => !isPast(rules.categories.get(category)));
  if (holding !== undefined) {
    if (!isGeneral && !tooLarge) return { kind: 'keep' };
    const days = rules.categories.get(holding);
    const long = days === undefined ? 'for ever' : `for ${days} days`;
    return { kind: 'refused', reason: `events of the category ${holding} are kept ${long}` };
  }
  const behind = projections.find(({ covered }) => covered < candidate.last);
  if (behind) {
    const { name, covered } = behind;
    const reason = `the projection ${name} has covered ${covered === 0 ? 'nothing yet' : `events up to position ${covered} only`}`;
    return { kind: 'refused', reason, projection: name };
  }
  return { kind: 'drop' };
}

/** The category of a stream: what stands before its first '/', or all of it. */
export function categoryOf(stream: string): string {
  const slash = stream.indexOf('/');
  return slash < 0 ? stream : stream.slice(0, slash);
}
