/** Users: what is known of each person that the agent talks to. */
import type { Draft } from 'immer';
import { invalidArgument } from '../errors.js';
import {
  defineEvents,
  defineProjection,
  diff,
  event,
  type JsonPatch,
  jsonText,
  type Projection,
  type RecordedEvent,
} from '../store.js';
import type { Access, Command, WriteOptions, Written } from './access.js';
import { altered } from './change.js';
import { recordEpisode } from './episodes.js';
import type { Meter } from './meter.js';
import {
  checkLimit,
  checkMembers,
  checkText,
  checkTexts,
  frozen,
  Model,
  type ModelSettings,
} from './model.js';
import type { ModelDefinition } from './model-definition.js';
import { lastOf } from './repeats.js';
import { patched, type Reverted, revert } from './revert.js';
import { type UserHit, userHits } from './user-recall.js';

/** Deeply frozen. */
export interface UserContext {
  /** Calls of `updateContext`. */
  readonly conversationsCount: number;
  readonly friendshipLevel: number;
  readonly preferences: Readonly<Record<string, unknown>>;
  readonly topics: readonly string[];
  /** Of the first conversation, ISO 8601. */
  readonly firstSeenAt?: string;
  /** Of the last conversation, ISO 8601. */
  readonly lastSeenAt?: string;
}

/** What was said. */
export interface Exchange {
  readonly message: string;
  readonly response: string;
}

interface User {
  readonly context: UserContext;
  /** What was remembered, by the id of its event. */
  readonly memories: Readonly<Record<string, { readonly text: string; readonly at: string }>>;
}

const DEFAULT: UserContext = frozen({
  conversationsCount: 0,
  friendshipLevel: 0,
  preferences: {},
  topics: [],
});

const events = defineEvents({
  'user.conversed': event<{ readonly episode: string }>(),
  'user.changed': event<{ readonly patches: readonly JsonPatch[] }>(),
  'user.remembered': event<{ readonly text: string }>(),
  'user.reverted': event<Reverted>(),
});

const projection: Projection<User> = defineProjection({
  name: 'users',
  version: 1,
  events,
  initial: (): User => ({ context: DEFAULT, memories: {} }),
  on: {
    'user.conversed': ({ context }, { time }) => {
      context.conversationsCount += 1;
      context.firstSeenAt ??= time;
      context.lastSeenAt = time;
    },
    'user.changed': (draft, { data }) => {
      draft.context = patched<UserContext>(draft.context, data.patches) as Draft<UserContext>;
    },
    'user.remembered': ({ memories }, { id, data, time }) => {
      memories[id] = { text: data.text, at: time };
    },
    'user.reverted': (draft, reverted) => revert<User>(draft, reverted),
  },
});

export const usersModel: ModelDefinition = {
  name: 'users',
  events,
  projection: projection as Projection,
  opposites: {
    // It took place, and its episode stands.
    'user.conversed': undefined,
    'user.changed': 'user.reverted',
    'user.remembered': 'user.reverted',
    'user.reverted': 'user.reverted',
  },
  bookkeeping: [],
  additive: true,
};

/** Only conversations change them. */
const COUNTED = ['conversationsCount', 'firstSeenAt', 'lastSeenAt'] as const;
const MEMBERS: readonly string[] = [...COUNTED, 'friendshipLevel', 'preferences', 'topics'];
const ANY_SIZE = Number.MAX_SAFE_INTEGER;
const LIMIT = 10;

export class Users extends Model {
  constructor(access: Access, settings: ModelSettings, meter: Meter) {
    super('users', access, settings, meter);
  }

  /** What is known of the user; of an unknown one what everybody begins with, and nothing is written. */
  getContext(userId: string): Promise<UserContext> {
    return this.measured('getContext', async () => {
      const user = await this.access.get(projection, this.#stream(userId));
      return user?.context ?? DEFAULT;
    });
  }

  /** {@link Users.getContext}, at once. */
  getContextSync(userId: string): UserContext {
    return this.measuredSync('getContext', () => {
      const user = this.access.getSync(projection, this.#stream(userId));
      return user?.context ?? DEFAULT;
    });
  }

  /**
   * Counts a conversation, exactly once per call, sets when the user was last seen, and keeps message and response as an episode of that user: one commit.
   * @throws TypeError, and what appending throws
   */
  updateContext(userId: string, exchange: Exchange, options: WriteOptions = {}): Promise<Written> {
    return this.measured('updateContext', async () => {
      const stream = this.#stream(userId);
      checkExchange(exchange);
      const { message, response } = exchange;
      const now = await this.access.now();
      const commands = conversing(stream, userId, { message, response }, now);
      const [written] = await this.access.runAll(commands, options);
      return written as Written;
    });
  }

  /** {@link Users.updateContext}, at once. */
  updateContextSync(userId: string, exchange: Exchange, options: WriteOptions = {}): Written {
    return this.measuredSync('updateContext', () => {
      const stream = this.#stream(userId);
      checkExchange(exchange);
      const commands = conversing(stream, userId, exchange, this.access.nowSync());
      const [written] = this.access.runAllSync(commands, options);
      return written as Written;
    });
  }

  /**
   * Changes friendshipLevel, preferences or topics: the function changes the draft. What is stored is the change alone. It may run again when others write
   * meanwhile.
   * @throws TypeError when it leaves what is no context, or changes what only conversations count; InvalidEventError for values that are no JSON
   */
  changeContext(
    userId: string,
    change: (draft: Draft<UserContext>) => void,
    options: WriteOptions = {},
  ): Promise<Written> {
    return this.measured('changeContext', async () =>
      this.access.run(changing(this.#stream(userId), change), options),
    );
  }

  /** {@link Users.changeContext}, at once. */
  changeContextSync(
    userId: string,
    change: (draft: Draft<UserContext>) => void,
    options: WriteOptions = {},
  ): Written {
    return this.measuredSync('changeContext', () =>
      this.access.runSync(changing(this.#stream(userId), change), options),
    );
  }

  /** Keeps something about the user, once: the same text again changes nothing. */
  remember(userId: string, text: string, options: WriteOptions = {}): Promise<Written> {
    return this.measured('remember', async () =>
      this.access.run(remembering(this.#stream(userId), text), options),
    );
  }

  /** {@link Users.remember}, at once. */
  rememberSync(userId: string, text: string, options: WriteOptions = {}): Written {
    return this.measuredSync('remember', () =>
      this.access.runSync(remembering(this.#stream(userId), text), options),
    );
  }

  /**
   * What was remembered of the user, and the episodes with them, that answer a question, best first.
   * @param options - limit: at most so many. Default 10.
   * @throws TypeError
   */
  recall(
    userId: string,
    query: string,
    options: { readonly limit?: number | undefined } = {},
  ): Promise<readonly UserHit[]> {
    return this.measured('recall', async () => {
      const asked = { stream: this.#stream(userId), userId, query, limit: limitOf(query, options) };
      const index = await this.access.recall(['users', 'episodes']);
      return userHits(index, asked, await this.access.now());
    });
  }

  /** {@link Users.recall}, at once. */
  recallSync(
    userId: string,
    query: string,
    options: { readonly limit?: number | undefined } = {},
  ): readonly UserHit[] {
    return this.measuredSync('recall', () => {
      const asked = { stream: this.#stream(userId), userId, query, limit: limitOf(query, options) };
      return userHits(this.access.recallSync(['users', 'episodes']), asked, this.access.nowSync());
    });
  }

  #stream(userId: unknown): string {
    return this.streamOf(userId, 'the id of a user');
  }
}

function conversing(
  stream: string,
  userId: string,
  { message, response }: Exchange,
  now: string,
): readonly Command<unknown>[] {
  const episode = recordEpisode(
    { text: message, response, kind: 'conversation', speaker: userId, participants: [userId] },
    now,
  );
  const counting: Command<User> = {
    projection,
    stream,
    commutes: true,
    decide: () => [{ type: 'user.conversed', data: { episode: episode.stream } }],
    repeats: (recorded: readonly RecordedEvent[]) =>
      recorded.find((each) => each.type === 'user.conversed' && each.stream === stream),
  };
  return [counting as Command<unknown>, episode as Command<unknown>];
}

function changing(stream: string, change: (draft: Draft<UserContext>) => void): Command<User> {
  if (typeof change !== 'function') throw invalidArgument('changeContext takes a function');
  return {
    projection,
    stream,
    decide(user) {
      const before = user?.context ?? DEFAULT;
      const after = altered(before, change);
      checkContext(after, before);
      const patches = diff(before, after);
      return patches.length === 0 ? [] : [{ type: 'user.changed', data: { patches } }];
    },
    repeats: (events) => lastOf(events, stream, 'user.changed'),
  };
}

function remembering(stream: string, text: string): Command<User> {
  checkText(text, 'the text');
  return {
    projection,
    stream,
    decide(user) {
      const known = Object.values(user?.memories ?? {}).some((memory) => memory.text === text);
      return known ? [] : [{ type: 'user.remembered', data: { text } }];
    },
    repeats(events) {
      const event = lastOf(events, stream, 'user.remembered');
      return (event?.data as { text?: unknown } | undefined)?.text === text ? event : undefined;
    },
  };
}

/** @throws TypeError */
function limitOf(query: string, options: { readonly limit?: number | undefined }): number {
  checkText(query, 'the query');
  checkMembers(options, 'the options', ['limit']);
  const { limit = LIMIT } = options;
  checkLimit(limit);
  return limit;
}

/** @throws TypeError */
function checkExchange(exchange: unknown): asserts exchange is Exchange {
  checkMembers(exchange, 'the exchange', ['message', 'response']);
  checkText(exchange['message'], 'message');
  checkText(exchange['response'], 'response');
}

/** @throws TypeError, InvalidEventError */
function checkContext(after: UserContext, before: UserContext): void {
  checkMembers(after, 'the context', MEMBERS);
  for (const member of COUNTED) {
    if (after[member] === before[member]) continue;
    throw invalidArgument(
      `changeContext cannot change ${member}: conversations do, through updateContext`,
    );
  }
  const { friendshipLevel, preferences, topics } = after;
  if (!Number.isFinite(friendshipLevel)) throw invalidArgument('friendshipLevel must be a number');
  checkTexts(topics, 'topics');
  if (typeof preferences !== 'object' || preferences === null || Array.isArray(preferences)) {
    throw invalidArgument('preferences must be an object');
  }
  jsonText(after, 'context', ANY_SIZE);
}
