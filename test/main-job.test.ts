import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { WriteStream } from 'node:tty';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { digestsIn } from '#src/importers/item.js';
import type { Memory } from '#src/index.js';
import { importMemory, openMemory } from '#src/index.js';
import type { RecordedEvent } from '#src/log/types.js';
import {
  type Acknowledgement,
  type Commit,
  commitsOf,
  differences,
  folded,
  misread,
  unacknowledged,
  wronglyImported,
  wronglyRaised,
  wronglyRecorded,
  wronglyVisited,
} from '../scripts/main-job/compare.mjs';
import { Display, tableOf } from '../scripts/main-job/display.mjs';
import { Effects } from '../scripts/main-job/effects.mjs';
import { chosenSource, itemsOf } from '../scripts/main-job/source.mjs';
import { fileWith, git } from './support/imported.js';
import { temporaryDirectory } from './support/temporary-directory.js';

const digests = ['a', 'b', 'c', 'd'].map((letter) => letter.repeat(16));
const shares = [2, 2];

interface Run {
  readonly acknowledgements: Acknowledgement[];
  readonly commits: Commit[];
}

/** The log and the acknowledgements as they are when nothing went wrong. */
function faultless(): Run {
  const versions = new Map<string, number>();
  const commits: Commit[] = [];
  const add = (key: string, events: { stream: string; type: string; data: unknown }[]) => {
    const position = commits.length + 1;
    const recorded = events.map((event, index): RecordedEvent => {
      const version = (versions.get(event.stream) ?? 0) + 1;
      versions.set(event.stream, version);
      return {
        ...event,
        id: `${position}.${index}`,
        position,
        index,
        last: index === events.length - 1,
        time: new Date(1_700_000_000_000 + position).toISOString(),
        version,
        schemaVersion: 1,
        idempotencyKey: key,
      };
    });
    commits.push({ position, events: recorded });
  };
  for (const [index, keys] of digests.entries()) {
    const said = { speaker: `agent-${(index % 2) + 1}`, text: `number ${index}` };
    add(`import/${index}`, [
      { stream: `episodes/${index}`, type: 'episode.recorded', data: said },
      { stream: `imports/${index % 2}`, type: 'import.advanced', data: { keys } },
    ]);
  }
  for (const agent of ['agent-1', 'agent-2']) {
    add(`tally/${agent}/1`, [
      { stream: 'tally', type: 'tally.raised', data: { agent, number: 1 } },
    ]);
  }
  const acknowledgements = commits.map(({ position, events }) => ({
    key: events[0]?.idempotencyKey ?? '',
    position,
  }));
  return { commits, acknowledgements };
}

/** What the main job says when the run was changed like this. */
function said(change: (run: Run) => void): string {
  const run = faultless();
  change(run);
  const { acknowledgements, commits } = run;
  return [
    ...differences(acknowledgements, commits),
    ...wronglyImported(digests, commits, digestsIn),
    ...wronglyRecorded(new Set(digests), commits, digestsIn),
    ...wronglyRaised(commits, shares, 2),
  ].join('\n');
}

function changeEvents(run: Run, position: number, changed: Partial<RecordedEvent>): void {
  const commit = run.commits[position - 1] as Commit;
  commit.events = commit.events.map((event) => ({ ...event, ...changed }));
}

describe('the comparison of the main job', () => {
  test('finds nothing when every acknowledged commit stands exactly once', () => {
    expect(said(() => {})).toBe('');
  });

  test('puts events together again into their commits', async () => {
    const { commits } = faultless();
    expect(await commitsOf(commits.flatMap((commit) => commit.events))).toEqual(commits);
  });

  test.each<[string, (run: Run) => void, string]>([
    [
      'an acknowledged commit that is lost from the end',
      ({ commits }) => commits.pop(),
      'tally/agent-2/1 was acknowledged at position 6 and is lost',
    ],
    [
      'a commit that stands elsewhere than was acknowledged',
      ({ acknowledgements: [first] }) => {
        if (first) first.position = 3;
      },
      'import/0 was acknowledged at position 3, and stands at position 1',
    ],
    [
      'a commit that stands twice',
      ({ commits }) => commits.push({ position: 7, events: commits[0]?.events ?? [] }),
      'import/0 stands twice, at positions 1 and 7',
    ],
    [
      'an item that was imported twice',
      ({ commits }) => commits.push({ position: 7, events: commits[0]?.events ?? [] }),
      'item aaaaaaaaaaaaaaaa was imported once too often, at position 7',
    ],
    [
      'an episode that stands twice in its commit',
      ({ commits: [first] }) => {
        const [episode, mark] = first?.events ?? [];
        if (first && episode && mark) first.events = [episode, episode, mark];
      },
      'the commit at position 1 records 2 episodes for 1 items that are one',
    ],
    [
      'an episode that is missing in its commit',
      ({ commits: [, second] }) => second?.events.shift(),
      'the commit at position 2 records 0 episodes for 1 items that are one',
    ],
    [
      'an item that was never imported',
      (run) => changeEvents(run, 2, { data: { keys: '' } }),
      'item bbbbbbbbbbbbbbbb of the source was not imported',
    ],
    [
      'a tally that was raised too seldom, though nobody acknowledged it',
      ({ commits, acknowledgements }) => {
        commits.pop();
        acknowledgements.pop();
      },
      'raised 1 times where 2 were planned; missing: {"agent":"agent-2","number":1}',
    ],
    [
      'a gap in the positions',
      ({ commits }) => commits.splice(2, 1),
      'position 4 follows position 2',
    ],
    ['a time that goes back', (run) => changeEvents(run, 3, { time: '' }), 'time goes back'],
    [
      'a version that is missing',
      (run) => changeEvents(run, 6, { version: 3 }),
      'where 2 must stand',
    ],
    ['an event that is out of place', (run) => changeEvents(run, 5, { index: 1 }), 'out of place'],
  ])('finds %s', (_, change, difference) => {
    expect(said(change)).toContain(difference);
  });
});

test('a part that was not acknowledged to its end, and a visit too many or too few, are found', () => {
  expect([...unacknowledged([2, 3], [2, 3])]).toEqual([]);
  expect([...unacknowledged([2, 3], [2, 2])]).toEqual([
    'agent-2 acknowledged 2 items, and its part has 3',
  ]);
  expect([...wronglyVisited({ count: 4, successes: 4 }, 4)]).toEqual([]);
  expect([...wronglyVisited(undefined, 0)]).toEqual([]);
  for (const visits of [{ count: 5, successes: 5 }, { count: 4, successes: 3 }, undefined]) {
    expect([...wronglyVisited(visits, 4)].join()).toContain('where 4 visits were made');
  }
});

describe('what projections say', () => {
  const entriesOf = (run: Commit[]) => [...folded(run).spoken].sort(([a], [b]) => (a < b ? -1 : 1));

  test('is folded by hand', () => {
    const { spoken, raised } = folded(faultless().commits);
    expect(raised).toBe(2);
    expect([...spoken]).toEqual([
      ['agent-1', { episodes: 2, characters: 16 }],
      ['agent-2', { episodes: 2, characters: 16 }],
    ]);
  });

  test('is compared: agreement is none, one commit less or a tally that misses one is told', () => {
    const { commits } = faultless();
    const expected = folded(commits);
    expect([...misread('now', entriesOf(commits), { raised: 2 }, expected)]).toEqual([]);
    const less = misread('now', entriesOf(commits.slice(1)), { raised: 2 }, expected);
    expect([...less].join()).toContain('now the projection says');
    const found = [...misread('now', entriesOf(commits), { raised: 1 }, expected)];
    expect(found).toEqual(['now the tally is 1, the log raises it to 2']);
  });
});

describe('the look for effects', () => {
  const page = '# Title\n\nSee <https://a.example>\n';

  async function missingIn(change: (memory: Memory) => Promise<unknown>): Promise<string> {
    const path = fileWith(page, 'page.md');
    const memory = await openMemory('memory:');
    await importMemory(path, memory, { itemsPerCommit: 1 });
    await change(memory);
    const commits = await commitsOf(memory.engine.readAll());
    const effects = new Effects(memory, commits, await memory.graph.readGraph());
    const missing: string[] = [];
    for await (const { item, digest } of itemsOf({ path, format: undefined, said: path })) {
      for await (const each of effects.missing(item.content, digest)) missing.push(each);
    }
    await memory.close();
    return missing.join('\n');
  }

  test('finds all of them when nothing is missing', async () => {
    expect(await missingIn(async () => {})).toBe('');
  });

  test('misses a record that is gone', async () => {
    const missing = await missingIn((memory) => memory.records.delete('page.md#title'));
    expect(missing).toContain('has no effect: record page.md#title');
  });
});

describe('the source of the main job', () => {
  test('is the bundled transcript where there is no whole history, and says so', async () => {
    const nowhere = await chosenSource(undefined, temporaryDirectory());
    expect(nowhere).toMatchObject({ format: 'chat', path: expect.stringContaining('transcript') });
    expect(nowhere.said).toContain('not a git repository');
    const folder = temporaryDirectory();
    git(folder, 'init', '-q');
    git(folder, 'commit', '-q', '--allow-empty', '-m', 'one');
    git(folder, 'commit', '-q', '--allow-empty', '-m', 'two');
    expect(await chosenSource(undefined, folder)).toMatchObject({ format: 'git', path: folder });
    const shallow = join(temporaryDirectory(), 'shallow');
    git('.', 'clone', '-q', '--depth', '1', `file://${folder}`, shallow);
    expect((await chosenSource(undefined, shallow)).said).toContain('shallow clone');
  });
});

test('the display is drawn anew on a terminal, and lines elsewhere', () => {
  const state = { total: 4, done: 2, commits: 2, times: [1, 3], queue: 0, state: 'running' };
  const states = new Map([['agent-1', state]]);
  expect(tableOf(states, 2)[1]).toMatch(/^agent-1 {2}running +2\/4 +1 +1\.0 +1\.0 +0$/);
  for (const isTTY of [true, false]) {
    let written = '';
    const out = { isTTY, columns: 80, write: (text: string) => (written += text) };
    const display = new Display(out as unknown as WriteStream);
    display.begin({ states, facts: () => 'compaction' });
    display.say('something happened');
    display.end();
    expect(written).toContain('something happened');
    expect(written.includes('\u001b[')).toBe(isTTY && display.isLive);
  }
});

const start = fileURLToPath(new URL('../scripts/start.mjs', import.meta.url));

function mainJob(...parameters: string[]) {
  return spawnSync(process.execPath, [start, ...parameters], { encoding: 'utf8', timeout: 90_000 });
}

describe('the main job', () => {
  test('imports by four processes, one of them killed, and finds everything', {
    timeout: 90_000,
  }, () => {
    // So many that half of all commits cannot stand before the first tally, which an agent raises for ten items.
    const lines = Array.from({ length: 100 }, (_, index) => {
      const session = index % 5 === 0 ? `# Day ${index / 5}\n` : '';
      const at = new Date(Date.UTC(2026, 0, 1, 0, index)).toISOString();
      return `${session}[${at}] Person ${index % 3}: remark ${index} on the weather of day ${index % 7}`;
    });
    const parent = temporaryDirectory();
    const directory = join(parent, 'memory');
    const { status, stdout, stderr } = mainJob(
      fileWith(lines.join('\n')),
      '--directory',
      directory,
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    for (const line of [
      /agents +4 processes share 100 items/,
      /agent-\d ended by SIGKILL after \d+ of \d+ items; replacing it/,
      /in the log +\d+ commits, 100 items, each with its effect/,
      /verified +whole/,
      /recall +"/,
      /history +/,
      /blame +/,
      /compaction +\d+ runs, [1-9]\d* of \d+ segments archived/,
      /compared +position/,
      /restored +as of .*equal to at\(\) of that time/,
      /\d+ commits, .*[1-9]\d* episodes, .*1 sites, [1-9] spoken, 1 tally/,
      /the memory +lies in /,
      /main job passed/,
    ]) {
      expect(stdout).toMatch(line);
    }
    expect(stdout).not.toContain('too little');
    expect(existsSync(join(directory, 'log'))).toBe(true);
  });

  test.each([1, 3])(
    'passes on %i items, and says what there is too little for',
    { timeout: 90_000 },
    (items) => {
      const lines = [
        { type: 'entity', name: 'Bert', entityType: 'person', observations: ['tall'] },
        { type: 'entity', name: 'Anna', entityType: 'person', observations: ['sails'] },
        { type: 'relation', from: 'Bert', to: 'Anna', relationType: 'knows' },
      ];
      const source = lines.slice(0, items).map((line) => JSON.stringify(line));
      const path = fileWith(source.join('\n'), 'memory.jsonl');
      for (const time of ['first', 'second']) {
        const directory = join(temporaryDirectory(), time);
        const { status, stdout, stderr } = mainJob(path, '--directory', directory);
        expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
        expect(stdout).toContain('too little to import for an agent to be killed half-way');
        expect(stdout).toMatch(/too little to import for a segment|[1-9] of \d segments archived/);
        expect(stdout).toContain('main job passed');
      }
    },
  );

  test.each(['', '-half-way'])('refuses a directory when its name%s is taken', (end) => {
    const directory = join(temporaryDirectory(), 'memory');
    const taken = `${directory}${end}`;
    mkdirSync(taken);
    const source = fileWith('[2026-01-01T00:00:00Z] Anna: aye', 'chat.txt');
    expect(mainJob(source, '--directory', directory)).toMatchObject({
      status: 1,
      stdout: '',
      stderr: `${taken} exists already: remove it, or give --directory another name\nmain job failed\n`,
    });
    expect(readdirSync(taken)).toEqual([]);
    expect(readdirSync(dirname(directory))).toEqual([basename(taken)]);
  });

  test('tells by its message alone why no memory can be made at a place', () => {
    const file = fileWith('[2026-01-01T00:00:00Z] Anna: aye', 'chat.txt');
    const link = join(dirname(file), 'link');
    symlinkSync('nowhere', link);
    for (const [parent, why] of [
      [file, 'ENOTDIR'],
      [link, 'ENOENT'],
    ] as const) {
      const { status, stderr } = mainJob(file, '--directory', join(parent, 'memory'));
      expect(status).toBe(1);
      expect(stderr).toMatch(new RegExp(`^.*${why}.*\nmain job failed\n$`));
    }
  });

  test('ends with code 1 on what cannot be imported, having made nothing', () => {
    const parent = temporaryDirectory();
    writeFileSync(join(parent, 'broken.json'), '{"type":"entity"');
    const directory = join(parent, 'memory');
    const { status, stderr } = mainJob(join(parent, 'broken.json'), '--directory', directory);
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /broken\.json cannot be imported at line 1, column 17.*\nmain job failed/s,
    );
    expect(existsSync(directory)).toBe(false);
  });

  test.each([
    ['is broken', 'broken.json', '{"type":"entity"'],
    ['holds nothing', 'headings.txt', '# Day 1\n'],
  ])('leaves nothing in the temporary folder of a source that %s', (_, name, content) => {
    const source = fileWith(content, name);
    const temporary = temporaryDirectory();
    const { status, stderr } = spawnSync(process.execPath, [start, source], {
      encoding: 'utf8',
      timeout: 90_000,
      env: { ...process.env, TMPDIR: temporary, TEMP: temporary, TMP: temporary },
    });
    expect(stderr).toMatch(/^.* cannot be imported.*\nmain job failed\n$/);
    expect(status).toBe(1);
    expect(readdirSync(temporary)).toEqual([]);
  });
});
