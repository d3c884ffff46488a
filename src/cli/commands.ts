/** Every command there is. What runs it is loaded when it is called. */
import {
  CONFIG,
  type CommandSpec,
  DIRECTORY,
  DRY_RUN,
  KEY,
  LOCAL,
  MOMENT,
  type OptionSpec,
  PROJECTION,
  YES,
} from './command.js';

const FORMAT: OptionSpec = {
  flags: '--format <format>',
  what: 'of the lines; default ndjson',
  kind: 'choice',
  choices: ['ndjson', 'cloudevents'],
};
const TO: OptionSpec = { flags: '--to <moment>', what: `up to here: ${MOMENT}` };
const FROM: OptionSpec = { flags: '--from <moment>', what: `from here on: ${MOMENT}` };
const AT: OptionSpec = { flags: '--at <moment>', what: `as of then: ${MOMENT}` };
const LIMIT: OptionSpec = { flags: '--limit <count>', what: 'so many at most', kind: 'count' };
const ACTOR: OptionSpec = {
  flags: '--actor <name>',
  what: 'who does it; default: RECOLLECT_ACTOR, or the user',
};
const REASON: OptionSpec = { flags: '--reason <text>', what: 'why' };
const IDEMPOTENCY_KEY: OptionSpec = {
  flags: '--idempotency-key <key>',
  what: 'the same key again does nothing twice',
};

const look: readonly CommandSpec[] = [
  {
    name: 'log',
    group: 'Look',
    summary: 'the events, newest first',
    about:
      'Reads no more of the log than it prints. With --follow it prints the last ones (10, or --limit), oldest first, and then what is appended, by whatever process.',
    given: [DIRECTORY],
    options: [
      { flags: '--actor <name>', what: 'by this one; may be repeated', kind: 'list' },
      {
        flags: '--stream <name>',
        what: 'of this stream, or name* for a prefix; may be repeated',
        kind: 'list',
      },
      {
        flags: '--type <name>',
        what: 'of this type, or name* for a prefix; may be repeated',
        kind: 'list',
      },
      FROM,
      TO,
      LIMIT,
      { flags: '--reverse', what: 'oldest first' },
      { flags: '--follow', what: 'go on with what is appended' },
      LOCAL,
    ],
    examples: ["recollect log ./memory --stream 'users/*' --from 2026-01-31T00:00:00Z --limit 20"],
    reads: true,
    load: async () => (await import('./commands/log.js')).log,
  },
  {
    name: 'get',
    group: 'Look',
    summary: 'the state under a key',
    given: [DIRECTORY, KEY],
    options: [AT, PROJECTION, ...CONFIG],
    examples: ['recollect get ./memory records/alice --at 2026-01-31'],
    reads: true,
    load: async () => (await import('./commands/get.js')).get,
  },
  {
    name: 'list',
    group: 'Look',
    summary: 'keys and their states, sorted by key',
    given: [DIRECTORY, ['[prefix]', 'of the keys, such as records/; default: all']],
    options: [
      AT,
      LIMIT,
      { flags: '--after <key>', what: 'begin behind this key' },
      { flags: '--keys', what: 'the keys alone' },
      PROJECTION,
      ...CONFIG,
    ],
    examples: ['recollect list ./memory records/ --keys'],
    reads: true,
    load: async () => (await import('./commands/list.js')).list,
  },
  {
    name: 'stats',
    group: 'Look',
    summary: 'how large it is and what is in it',
    given: [DIRECTORY],
    options: [LOCAL, ...CONFIG],
    examples: ['recollect stats ./memory'],
    reads: true,
    load: async () => (await import('./commands/stats.js')).stats,
  },
  {
    name: 'recall',
    group: 'Look',
    summary: 'the memories that answer a question, best first',
    given: [DIRECTORY, ['<question...>', 'in words']],
    options: [
      LIMIT,
      { flags: '--model <name>', what: 'of this model only; may be repeated', kind: 'list' },
      { flags: '--by <actor>', what: 'stored or changed last by this one' },
      { flags: '--tag <tag>', what: 'with this tag; may be repeated', kind: 'list' },
      { flags: '--why', what: 'why each was found' },
      LOCAL,
      ...CONFIG,
    ],
    examples: ['recollect recall ./memory "where does Anna live" --limit 3'],
    reads: true,
    load: async () => (await import('./commands/recall.js')).recall,
  },
  {
    name: 'doctor',
    group: 'Look',
    summary: 'whether the place and the store are in good health',
    about:
      'Looks at the file system, the free space, the lock and who holds it, what recovery finds, and the versions. Beside the store it makes a small file for a moment, to see whether locks work there and how long a sync takes.',
    given: [DIRECTORY],
    options: [LOCAL],
    examples: ['recollect doctor ./memory'],
    reads: true,
    load: async () => (await import('./commands/doctor.js')).doctor,
  },
];

const audit: readonly CommandSpec[] = [
  {
    name: 'history',
    group: 'Audit',
    summary: 'who changed a key when and why, and what changed',
    given: [DIRECTORY, KEY],
    options: [
      FROM,
      TO,
      LIMIT,
      { flags: '--reverse', what: 'newest first' },
      LOCAL,
      PROJECTION,
      ...CONFIG,
    ],
    examples: ['recollect history ./memory records/alice'],
    reads: true,
    load: async () => (await import('./commands/history.js')).history,
  },
  {
    name: 'blame',
    group: 'Audit',
    summary: "which event each part of a key's state comes from",
    given: [DIRECTORY, KEY],
    options: [TO, LOCAL, PROJECTION, ...CONFIG],
    examples: ['recollect blame ./memory records/alice'],
    reads: true,
    load: async () => (await import('./commands/blame.js')).blame,
  },
  {
    name: 'diff',
    group: 'Audit',
    summary: 'how a key, or all of them, differ between two moments',
    about: 'Exit code 1 when something differs.',
    given: [DIRECTORY, ['[key]', 'a key, or what keys begin with when it ends in /']],
    options: [
      { flags: '--all', what: 'all keys' },
      { flags: '--from <moment>', what: MOMENT, required: true },
      { flags: '--to <moment>', what: `${MOMENT}; default: now` },
      PROJECTION,
      ...CONFIG,
    ],
    examples: ['recollect diff ./memory --all --from 2026-01-31 --to 2026-02-01'],
    reads: true,
    load: async () => (await import('./commands/diff.js')).diff,
  },
  {
    name: 'verify',
    group: 'Audit',
    summary: 'whether every byte of the log is as it was written',
    about: 'Exit code 1 when there is damage, or when the log does not contain the seal.',
    given: [DIRECTORY],
    options: [
      { flags: '--against <seal>', what: 'a seal published earlier, which the log must contain' },
      { flags: '--deep', what: 'parse every event as well' },
      LOCAL,
    ],
    examples: ['recollect verify ./memory --deep'],
    reads: true,
    load: async () => (await import('./commands/verify.js')).verify,
  },
];

const replay: readonly CommandSpec[] = [
  {
    name: 'replay',
    group: 'Replay',
    summary: 'fold all events again and compare key by key with what the store gives',
    about:
      'Exit code 1 when a key differs. --step prints what each event changes, and waits for Enter on a terminal. --speed prints the events at the pace at which they were written, so many times faster, and folds nothing.',
    given: [DIRECTORY],
    options: [
      TO,
      FROM,
      { flags: '--step', what: 'one event after the other, with what it changes' },
      {
        flags: '--projection <file>',
        what: 'a file that exports projections to fold, or the name of one',
      },
      { flags: '--speed <factor>', what: '1 for the original pace', kind: 'number' },
      LOCAL,
      ...CONFIG,
    ],
    examples: ['recollect replay ./memory --to 1000'],
    reads: true,
    load: async () => (await import('./commands/replay.js')).replay,
  },
];

const care: readonly CommandSpec[] = [
  {
    name: 'init',
    group: 'Care',
    summary: 'make a new store',
    given: [['<directory>', 'where nothing stands yet']],
    options: [
      {
        flags: '--durability <level>',
        what: "'os' is UNSAFE: it loses the last seconds when the machine stops; default sync",
        kind: 'choice',
        choices: ['sync', 'os'],
      },
      {
        flags: '--idempotency-window <count>',
        what: 'how many of the last keys are remembered',
        kind: 'count',
      },
    ],
    examples: ['recollect init ./memory'],
    reads: false,
    load: async () => (await import('./commands/init.js')).init,
  },
  {
    name: 'append',
    group: 'Care',
    summary: 'append events to a stream, as one commit',
    about:
      'Without a type it reads events from standard input, one JSON object a line: {"type": …, "data": …, "metadata": …}.',
    given: [
      DIRECTORY,
      ['<stream>', 'such as users/anna'],
      ['[type]', 'of the event'],
      ['[data]', 'as JSON; default null'],
    ],
    options: [
      ACTOR,
      REASON,
      { flags: '--metadata <json>', what: 'of the event' },
      {
        flags: '--expected-version <version>',
        what: 'the version that the stream must have: a number, absent or exists',
      },
      IDEMPOTENCY_KEY,
      { flags: '--correlation-id <id>', what: 'what it belongs to' },
      { flags: '--causation-id <id>', what: 'what caused it' },
      ...CONFIG,
    ],
    examples: [
      'recollect append ./memory users/anna user.named \'{"name":"Anna"}\' --actor planner --reason "she said so"',
    ],
    reads: false,
    load: async () => (await import('./commands/append.js')).append,
  },
  {
    name: 'undo',
    group: 'Care',
    summary: 'append the opposite of a commit of the memory',
    about:
      'Refused when later events changed the same. Nothing is taken out of the log, and undoing can be undone.',
    given: [DIRECTORY, ['<position>', 'of the commit']],
    options: [ACTOR, REASON, IDEMPOTENCY_KEY, DRY_RUN, YES, LOCAL, ...CONFIG],
    examples: ['recollect undo ./memory 42 --reason "wrong person" --yes'],
    reads: false,
    load: async () => (await import('./commands/undo.js')).undo,
  },
  {
    name: 'compact',
    group: 'Care',
    summary: 'move closed segments to the compressed archive',
    about:
      'Only a retention rule of the config file takes events away; then it asks, or wants --yes.',
    given: [DIRECTORY],
    options: [DRY_RUN, YES, ...CONFIG],
    examples: ['recollect compact ./memory --dry-run'],
    reads: false,
    load: async () => (await import('./commands/compact.js')).compact,
  },
  {
    name: 'snapshot',
    group: 'Care',
    summary: 'write snapshots, so that opening and reading take less',
    given: [DIRECTORY],
    options: [...CONFIG],
    examples: ['recollect snapshot ./memory'],
    reads: false,
    load: async () => (await import('./commands/snapshot.js')).snapshot,
  },
  {
    name: 'backup',
    group: 'Care',
    summary: 'copy the store as it is now, verified, while others go on writing',
    given: [DIRECTORY, ['<target>', 'a directory that does not exist yet']],
    options: [
      { flags: '--since <backup>', what: 'share what has not changed with an earlier backup' },
      LOCAL,
    ],
    examples: ['recollect backup ./memory ./backup-monday'],
    reads: false,
    load: async () => (await import('./commands/backup.js')).backup,
  },
  {
    name: 'restore',
    group: 'Care',
    summary: 'make a store of a backup or a store, whole or as of an earlier moment',
    given: [
      ['<source>', 'a backup or a store; it is only read'],
      ['<target>', 'a directory that does not exist yet'],
    ],
    options: [TO, LOCAL],
    examples: ['recollect restore ./backup-monday ./memory-again --to 1000'],
    reads: false,
    load: async () => (await import('./commands/restore.js')).restore,
  },
  {
    name: 'salvage',
    group: 'Care',
    summary: 'save what can be read of a damaged store into a new one',
    about: 'Exit code 1 when something is lost.',
    given: [
      ['<source>', 'the damaged store; it is only read'],
      ['<target>', 'a directory that does not exist yet'],
    ],
    options: [],
    examples: ['recollect salvage ./memory ./memory-salvaged'],
    reads: false,
    load: async () => (await import('./commands/salvage.js')).salvage,
  },
  {
    name: 'export',
    group: 'Care',
    summary: 'write every event as a line of JSON',
    given: [DIRECTORY, ['[file]', 'default: standard output']],
    options: [
      FORMAT,
      { flags: '--source <uri>', what: 'of CloudEvents: what names the store' },
      DRY_RUN,
      YES,
    ],
    examples: ['recollect export ./memory events.ndjson --format ndjson'],
    reads: false,
    load: async () => (await import('./commands/export.js')).exportEvents,
  },
  {
    name: 'import',
    group: 'Care',
    summary: 'make a store of lines of JSON, or take what stands elsewhere into a memory',
    given: [
      ['<source>', 'a file, a folder, a git repository, or - for standard input'],
      [
        '<directory>',
        'of events: where nothing stands yet; else a memory, which is made if need be',
      ],
    ],
    options: [
      {
        flags: '--format <format>',
        what: 'events: ndjson, the default, or cloudevents; memories: mcp, chat, markdown, git, or auto to look',
        kind: 'choice',
        choices: ['ndjson', 'cloudevents', 'mcp', 'chat', 'markdown', 'git', 'auto'],
      },
      { flags: '--clamp-times', what: 'take a time that goes back as that of the commit before' },
      {
        flags: '--into <model>',
        what: 'of a chat: episodes, the default, or conversations',
        kind: 'choice',
        choices: ['episodes', 'conversations'],
      },
      { flags: '--restart', what: 'take a source that has changed from its beginning' },
      ACTOR,
      REASON,
    ],
    examples: [
      'recollect import events.ndjson ./memory-imported --format ndjson',
      'recollect import memory.jsonl ./memory --format mcp',
    ],
    reads: false,
    load: async () => (await import('./commands/import.js')).importInto,
  },
];

export const commands: readonly CommandSpec[] = [...look, ...audit, ...replay, ...care];
