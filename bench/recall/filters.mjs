/** What a question costs at many documents with each filter, when it lets pass 0.02 %, 1 % and half of them; and when most of them are over. */
import { modelDefinitions } from '../../dist/memory/models.js';
import { askedOf, hitsOf } from '../../dist/memory/recall.js';
import { memoryIndexOf } from '../../dist/memory/recall-index.js';
import { userHits } from '../../dist/memory/user-recall.js';
import { timed, turnsOf } from './cost.mjs';

const NOW = '2026-01-01T00:00:00.000Z';
const START = Date.UTC(2024, 0, 1);
/** Of each kind the share; the others are of kind `rest`. */
const KINDS = Object.entries({ few: 0.0002, some: 0.01, half: 0.5 });
const USERS = ['users', 'conversations', 'records'];

/** @param {number} rank - from 0 to 1 */
function kindOf(rank) {
  let from = 0;
  for (const [kind, share] of KINDS) {
    if (rank < from + share) return kind;
    from += share;
  }
  return 'rest';
}

/**
 * @typedef {{ at: number, text: string, speaker: string, rank: number, kind: string, time: string }} Turn
 * @param {number} at @param {string} stream @param {string} type @param {unknown} data @param {Turn} turn
 */
function event(at, stream, type, data, { kind, time }) {
  const places = { id: `${at + 1}.0`, position: at + 1, index: 0, last: true, version: 1 };
  return { ...places, time, actor: kind, stream, type, schemaVersion: 1, data };
}

/** @param {Turn} turn */
function recordOf(turn) {
  const { at, text, rank, kind } = turn;
  const nested = { of: kind };
  const metadata = { session: kind, kind, nested, number: at };
  const facts = { section: kind, persona: kind, importance: 1 - rank, tags: [kind, 'all'] };
  const data = { value: text, ...facts, metadata };
  return event(at, `records/r${at}`, 'record.stored', data, turn);
}

/** @param {Turn} turn */
function ofSomeModel(turn) {
  const { at, text, kind, speaker, time } = turn;
  if (kind === 'few') {
    return event(at, `users/u${at}`, 'user.remembered', { text }, turn);
  }
  if (kind === 'some') {
    const data = { items: [{ id: `i${at}`, data: { role: speaker, content: text } }] };
    return event(at, `conversations/c${at % 40}/long-term`, 'conversation.stored', data, turn);
  }
  if (kind === 'half') return recordOf(turn);
  const data = { text, at: time, speaker, session: `s${at % 4000}`, participants: [`p${at % 40}`] };
  return event(at, `episodes/e${at}`, 'episode.recorded', data, turn);
}

/** @param {Turn} turn */
function mostlyOver(turn) {
  const recorded = recordOf(turn);
  const expiresAt = turn.rank < 0.02 ? '2030-01-01T00:00:00.000Z' : '2025-01-01T00:00:00.000Z';
  return { ...recorded, data: { ...recorded.data, expiresAt } };
}

/** @param {readonly Turn[]} turns @param {(turn: Turn) => unknown} eventOf */
function indexOf(turns, eventOf) {
  const definition = memoryIndexOf(modelDefinitions, 'english');
  const index = definition.create();
  for (const turn of turns) definition.apply(index, [eventOf(turn)]);
  return index;
}

/** @param {number} share */
const since = (share) => new Date(START + Math.floor((1 - share) * 1e10)).toISOString();

/** @type {Record<string, (kind: string, share: number) => object>} */
const FILTERS = {
  tags: (kind) => ({ tags: [kind, 'all'] }),
  anyTags: (kind) => ({ anyTags: [kind, 'none'] }),
  section: (kind) => ({ section: kind }),
  persona: (kind) => ({ persona: kind }),
  actor: (kind) => ({ actor: kind }),
  session: (kind) => ({ session: kind }),
  minImportance: (_, share) => ({ minImportance: 1 - share }),
  since: (_, share) => ({ since: since(share) }),
  until: (_, share) => ({ until: new Date(START + Math.floor(share * 1e10)) }),
  metadata: (kind) => ({ metadata: { kind } }),
  'metadata, an object': (kind) => ({ metadata: { nested: { of: kind } } }),
};

/** @param {number} count @param {(line: string) => void} print */
export function measureFilters(count, print) {
  const { documents, queries } = turnsOf(count);
  const turns = documents.map(({ text, speaker }, at) => {
    // A step without a common divisor with the count goes through all places.
    const rank = ((at * 7919) % count) / count;
    const time = new Date(START + Math.floor(rank * 1e10)).toISOString();
    return { at, text, speaker, rank, kind: kindOf(rank), time };
  });
  /** @param {string} name @param {string} kind @param {(query: string) => readonly unknown[]} ask */
  const row = (name, kind, ask) => {
    const found = ask(queries[0] ?? '').length;
    const { p50, p99, mean } = timed(queries.slice(0, 300), ask);
    const times = `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, CPU ${mean.toFixed(1)} ms`;
    print(`  ${`${name}, ${kind}`.padEnd(28)} question ${times}; ${found} found`);
  };
  const asking = (index, options, models) => (/** @type {string} */ query) => {
    const asked = askedOf(query, options, ['records']);
    return hitsOf(index, { ...asked, models }, NOW);
  };
  print(
    `${count} records; ${KINDS.map(([kind, share]) => `${kind}: ${100 * share} %`).join(', ')}`,
  );
  const records = indexOf(turns, recordOf);
  row('no filter', 'all', asking(records, {}));
  for (const [name, filterOf] of Object.entries(FILTERS)) {
    for (const [kind, share] of KINDS) {
      row(name, kind, asking(records, { filters: filterOf(kind, share) }));
    }
  }
  print(`${count} texts of four models`);
  const mixed = indexOf(turns, ofSomeModel);
  row('models', 'all', asking(mixed, {}));
  for (const [at, [kind]] of KINDS.entries()) {
    row('models', kind, asking(mixed, {}, [USERS[at] ?? '']));
  }
  row('one conversation', 'few', asking(mixed, { filters: { session: 'c7' } }));
  row('users.recall', 'some', (query) =>
    userHits(mixed, { stream: 'users/p7', userId: 'p7', query, limit: 10 }, NOW),
  );
  print(`${count} records of which 98 % are over`);
  row('no filter', 'some', asking(indexOf(turns, mostlyOver), {}));
}
