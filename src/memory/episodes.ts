/** Episodes: what happened, in the order of time. They are added and never changed. */
import { isDeepStrictEqual } from 'node:util';
import { invalidArgument, quote } from '../errors.js';
import {
  defineEvents,
  defineProjection,
  type Entry,
  event,
  jsonText,
  type Projection,
} from '../store.js';
import type { Access, Command, WriteOptions, Written } from './access.js';
import { TimeSortedIds } from './episode-ids.js';
import type { Meter } from './meter.js';
import {
  checkLimit,
  checkMembers,
  checkText,
  checkTexts,
  Model,
  type ModelSettings,
} from './model.js';
import type { ModelDefinition } from './model-definition.js';

/** What happened. */
export interface NewEpisode {
  readonly text: string;
  /** What sort of thing it is, such as `conversation`. */
  readonly kind?: string | undefined;
  /** What it is a part of. */
  readonly session?: string | undefined;
  readonly speaker?: string | undefined;
  /** Who took part; a user's own id makes it an episode of that user. */
  readonly participants?: readonly string[] | undefined;
  /** When it happened: a Date, or ISO 8601 with a zone. Default: now. */
  readonly at?: Date | string | undefined;
  readonly tags?: readonly string[] | undefined;
  /** Plain JSON of your own. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
}

/** An episode as it is read. */
export interface Episode {
  /** Sorts by `at`, such as `episodes/2026-01-31T12:00:00.000Z-…`. */
  readonly id: string;
  readonly text: string;
  readonly kind?: string;
  readonly session?: string;
  readonly speaker?: string;
  readonly participants: readonly string[];
  /** ISO 8601. */
  readonly at: string;
  readonly tags: readonly string[];
  readonly metadata: Readonly<Record<string, unknown>>;
  /** What was answered, where the episode is an exchange. */
  readonly response?: string;
  /** Who wrote it down, and when. */
  readonly actor?: string;
  readonly recordedAt: string;
}

export interface EpisodeFilters {
  readonly session?: string | undefined;
  readonly speaker?: string | undefined;
  readonly participant?: string | undefined;
  readonly kind?: string | undefined;
  readonly actor?: string | undefined;
  /** All of them. */
  readonly tags?: readonly string[] | undefined;
  /** One of them at least. */
  readonly anyTags?: readonly string[] | undefined;
  /** `at` is this or later. */
  readonly since?: Date | string | undefined;
  /** `at` is this or earlier. */
  readonly until?: Date | string | undefined;
  /** Members that the metadata must have, with equal values. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
}

export interface EpisodeListOptions {
  readonly filters?: EpisodeFilters | undefined;
  /** The `next` of the page before. */
  readonly after?: string | undefined;
  /** Episodes at most. Default 100. */
  readonly limit?: number | undefined;
}

export interface EpisodePage {
  /** Oldest first, by `at`. */
  readonly items: readonly Episode[];
  /** Missing on the last page. */
  readonly next?: string;
}

/** Without members that are undefined. */
interface EpisodeData {
  readonly text: string;
  readonly at: string;
  readonly kind?: string;
  readonly session?: string;
  readonly speaker?: string;
  readonly participants?: readonly string[];
  readonly tags?: readonly string[];
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly response?: string;
}

const events = defineEvents({ 'episode.recorded': event<EpisodeData>() });

const projection: Projection<Episode | null> = defineProjection({
  name: 'episodes',
  version: 1,
  events,
  initial: null as Episode | null,
  on: {
    'episode.recorded': (_draft, { stream, data, actor, time }): Episode => ({
      participants: [],
      tags: [],
      metadata: {},
      ...data,
      id: stream,
      ...(actor === undefined ? {} : { actor }),
      recordedAt: time,
    }),
  },
});

export const episodesModel: ModelDefinition = {
  name: 'episodes',
  events,
  projection: projection as Projection,
  // What happened has happened.
  opposites: { 'episode.recorded': undefined },
  bookkeeping: [],
};

const PREFIX = 'episodes/';
const LIMIT = 100;
/** Metadata is bounded by the size of an event, which the store looks at. */
const ANY_SIZE = Number.MAX_SAFE_INTEGER;
const ids = new TimeSortedIds();

/** The command that adds an episode. `given.at` may be left out for now; `response` makes it an exchange. */
export function recordEpisode(
  given: NewEpisode & { readonly response?: string },
  now: string,
): Command<Episode | null> {
  const at = given.at === undefined ? now : timeOf(given.at, 'at');
  const data = episodeData(given, at);
  const stream = `${PREFIX}${ids.next(at)}`;
  return {
    projection,
    stream,
    commutes: true,
    expectedVersion: 'any',
    decide: () => [{ type: 'episode.recorded', data }],
    repeats: (recorded) =>
      recorded.find(({ type, data: other }) => {
        if (type !== 'episode.recorded') return false;
        const same = given.at === undefined ? { ...(other as EpisodeData), at } : other;
        return isDeepStrictEqual(same, data);
      }),
  };
}

/** All episodes, by time. */
export function episodeEntries(access: Access): AsyncIterable<Entry<Episode | null>> {
  return access.entries(projection, { prefix: PREFIX });
}

const MEMBERS = 'text kind session speaker participants at tags metadata'.split(' ');
const FILTERS = 'session speaker participant kind actor tags anyTags since until metadata'.split(
  ' ',
);

export class Episodes extends Model {
  constructor(access: Access, settings: ModelSettings, meter: Meter) {
    super('episodes', access, settings, meter);
  }

  /**
   * Adds an episode. A second call with the same idempotency key and content gives the first one, `repeated`.
   * @throws TypeError, InvalidEventError, and what appending throws
   */
  record(episode: NewEpisode, options: WriteOptions = {}): Promise<Written> {
    return this.measured('record', async () => {
      const own = checkedEpisode(episode);
      return await this.access.run(recordEpisode(own, await this.access.now()), options);
    });
  }

  /** {@link Episodes.record}, at once. */
  recordSync(episode: NewEpisode, options: WriteOptions = {}): Written {
    return this.measuredSync('record', () => {
      const own = checkedEpisode(episode);
      return this.access.runSync(recordEpisode(own, this.access.nowSync()), options);
    });
  }

  /** The episode; undefined when there is none. @param id - with or without `episodes/` before it */
  get(id: string): Promise<Episode | undefined> {
    return this.measured(
      'get',
      async () => (await this.access.get(projection, this.#stream(id))) ?? undefined,
    );
  }

  /** {@link Episodes.get}, at once. */
  getSync(id: string): Episode | undefined {
    return this.measuredSync(
      'get',
      () => this.access.getSync(projection, this.#stream(id)) ?? undefined,
    );
  }

  /** Episodes by time, a page at a time. Times narrow what is read; other filters are looked at one by one. */
  list(options: EpisodeListOptions = {}): Promise<EpisodePage> {
    return this.measured('list', async () => {
      const page = new Page(options);
      for await (const [, episode] of this.access.entries(projection, page.range)) {
        if (page.take(episode)) break;
      }
      return page.result();
    });
  }

  /** {@link Episodes.list}, at once. */
  listSync(options: EpisodeListOptions = {}): EpisodePage {
    return this.measuredSync('list', () => {
      const page = new Page(options);
      for (const [, episode] of this.access.entriesSync(projection, page.range)) {
        if (page.take(episode)) break;
      }
      return page.result();
    });
  }

  #stream(id: unknown): string {
    const stream = this.streamOf(id, 'the id of an episode');
    return (id as string).startsWith(PREFIX) ? (id as string) : stream;
  }
}

/** The page that a list asks for, as it fills. */
class Page {
  readonly range: { readonly prefix: string; readonly after?: string };
  readonly #filters: EpisodeFilters;
  readonly #limit: number;
  readonly #until: string | undefined;
  readonly #items: Episode[] = [];
  #next: string | undefined;

  constructor(options: EpisodeListOptions) {
    checkMembers(options, 'the options', ['filters', 'after', 'limit']);
    const { filters = {}, after: given, limit = LIMIT } = options;
    checkFilters(filters);
    checkLimit(limit);
    if (given !== undefined) checkText(given, 'after');
    // As `get` takes them: with or without the model's name.
    const after = given === undefined || given.startsWith(PREFIX) ? given : `${PREFIX}${given}`;
    const { since, until } = filters;
    // The first key of that time has more behind it.
    const start = since === undefined ? undefined : `${PREFIX}${timeOf(since, 'since')}`;
    const later = after !== undefined && (start === undefined || after > start) ? after : start;
    this.range = { prefix: PREFIX, ...(later === undefined ? {} : { after: later }) };
    this.#filters = filters;
    this.#limit = limit;
    this.#until = until === undefined ? undefined : timeOf(until, 'until');
  }

  /** True when nothing more belongs to it. */
  take(episode: Episode | null): boolean {
    if (!episode) return false;
    if (this.#until !== undefined && episode.at > this.#until) return true;
    if (!passes(episode, this.#filters)) return false;
    if (this.#items.length >= this.#limit) {
      this.#next = this.#items.at(-1)?.id;
      return true;
    }
    this.#items.push(episode);
    return false;
  }

  result(): EpisodePage {
    const items = Object.freeze(this.#items);
    return Object.freeze(this.#next === undefined ? { items } : { items, next: this.#next });
  }
}

function passes(episode: Episode, filters: EpisodeFilters): boolean {
  const { session, speaker, kind, actor, participant, tags, anyTags, metadata } = filters;
  if (session !== undefined && episode.session !== session) return false;
  if (speaker !== undefined && episode.speaker !== speaker) return false;
  if (kind !== undefined && episode.kind !== kind) return false;
  if (actor !== undefined && episode.actor !== actor) return false;
  if (participant !== undefined && !episode.participants.includes(participant)) return false;
  if (tags !== undefined && !tags.every((tag) => episode.tags.includes(tag))) return false;
  if (anyTags !== undefined && !anyTags.some((tag) => episode.tags.includes(tag))) return false;
  return Object.entries(metadata ?? {}).every(
    ([member, value]) =>
      Object.hasOwn(episode.metadata, member) && isDeepStrictEqual(episode.metadata[member], value),
  );
}

function episodeData(given: NewEpisode & { readonly response?: string }, at: string): EpisodeData {
  const { text, kind, session, speaker, participants, tags, metadata, response } = given;
  const members = { kind, session, speaker, participants, tags, metadata, response };
  const known = Object.entries(members).filter(([, value]) => value !== undefined);
  return { text, at, ...(Object.fromEntries(known) as Omit<EpisodeData, 'text' | 'at'>) };
}

/** A copy: what the caller does with its own object later changes nothing. @throws TypeError, InvalidEventError */
function checkedEpisode(episode: unknown): NewEpisode {
  checkMembers(episode, 'an episode', MEMBERS);
  const { text, kind, session, speaker, participants, at, tags, metadata } = episode;
  checkText(text, 'text');
  if (kind !== undefined) checkText(kind, 'kind');
  if (session !== undefined) checkText(session, 'session');
  if (speaker !== undefined) checkText(speaker, 'speaker');
  if (participants !== undefined) checkTexts(participants, 'participants');
  if (tags !== undefined) checkTexts(tags, 'tags');
  if (metadata !== undefined) {
    const isObject = typeof metadata === 'object' && metadata !== null && !Array.isArray(metadata);
    if (!isObject) throw invalidArgument('metadata must be an object');
  }
  const members = { text, kind, session, speaker, participants, tags, metadata };
  const given = Object.entries(members).filter(([, value]) => value !== undefined);
  const own = JSON.parse(jsonText(Object.fromEntries(given), 'episode', ANY_SIZE)) as NewEpisode;
  return at === undefined ? own : { ...own, at: timeOf(at, 'at') };
}

/** @throws TypeError */
function checkFilters(filters: unknown): asserts filters is EpisodeFilters {
  checkMembers(filters, 'filters', FILTERS);
  for (const name of ['session', 'speaker', 'participant', 'kind', 'actor']) {
    if (filters[name] !== undefined) checkText(filters[name], `filters.${name}`);
  }
  for (const name of ['tags', 'anyTags']) {
    if (filters[name] !== undefined) checkTexts(filters[name], `filters.${name}`);
  }
  const { metadata } = filters;
  if (metadata === undefined || (typeof metadata === 'object' && metadata !== null)) return;
  throw invalidArgument('filters.metadata must be an object');
}

const ZONED = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2}))?$/i;

/** ISO 8601 in UTC, 24 characters, so that times sort as text. @throws TypeError */
function timeOf(value: unknown, what: string): string {
  const text = typeof value === 'string';
  const milliseconds =
    value instanceof Date ? value.getTime() : text && ZONED.test(value) ? Date.parse(value) : NaN;
  const year = new Date(milliseconds).getUTCFullYear();
  if (year >= 0 && year <= 9999) return new Date(milliseconds).toISOString();
  const given = text ? `, not ${quote(value)}` : '';
  throw invalidArgument(
    `${what} must be a Date or ISO 8601 with a zone, such as 2026-01-31T12:00:00Z${given}`,
  );
}
