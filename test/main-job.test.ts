import { describe, expect, test } from 'vitest';
import type { RecordedEvent } from '#src/log/types.js';
import {
  type Acknowledgement,
  type Commit,
  commitsOf,
  differences,
  folded,
  misread,
} from '../scripts/main-job/compare.mjs';
import { plannedCommit } from '../scripts/main-job/plan.mjs';

const plan = { writers: ['ann', 'bob'], commitsPerWriter: 10 };

/** The log and the acknowledgements as they are when nothing went wrong. */
function faultless(): { commits: Commit[]; acknowledgements: Acknowledgement[] } {
  const versions = new Map<string, number>();
  const commits: Commit[] = [];
  const acknowledgements: Acknowledgement[] = [];
  for (let number = 1; number <= plan.commitsPerWriter; number++) {
    for (const writer of plan.writers) {
      const position = commits.length + 1;
      const time = new Date(1_700_000_000_000 + position).toISOString();
      const { stream, events, options } = plannedCommit(writer, number);
      const recorded = events.map((event, index): RecordedEvent => {
        const version = (versions.get(stream) ?? 0) + 1;
        versions.set(stream, version);
        return {
          id: `${position}.${index}`,
          position,
          index,
          last: index === events.length - 1,
          time,
          stream,
          version,
          type: event.type,
          schemaVersion: 1,
          data: event.data,
          actor: options.actor,
          idempotencyKey: options.idempotencyKey,
        };
      });
      commits.push({ position, events: recorded });
      acknowledgements.push({
        writer,
        number,
        position,
        time,
        version: versions.get(stream) ?? 0,
      });
    }
  }
  return { commits, acknowledgements };
}

type Run = ReturnType<typeof faultless>;

/** What the main job says when the run was changed like this. */
function said(change: (run: Run) => void): string {
  const run = faultless();
  change(run);
  return differences(run.acknowledgements, run.commits, plan).join('\n');
}

function changeEvent(commits: Commit[], position: number, changed: Partial<RecordedEvent>): void {
  const commit = commits[position - 1];
  if (!commit) throw new Error(`no commit at position ${position}`);
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

  test('finds an acknowledged commit that is lost from the end', () => {
    expect(said(({ commits }) => commits.pop())).toContain(
      'bob/10 was acknowledged at position 20 and is lost',
    );
  });

  test('finds a commit that stands elsewhere than was acknowledged', () => {
    const moved = said(({ acknowledgements }) => {
      const [first] = acknowledgements;
      if (first) first.position = 3;
    });

    expect(moved).toContain('ann/1 was acknowledged at position 3');
  });

  test('finds a commit that was never acknowledged and does not stand', () => {
    const missing = said(({ commits, acknowledgements }) => {
      commits.pop();
      acknowledgements.pop();
    });

    expect(missing).toContain('bob/10 does not stand in the log');
  });

  test('finds a commit that stands twice', () => {
    const repeated = said(({ commits }) => {
      commits.push({ position: 21, events: commits[0]?.events ?? [] });
    });

    expect(repeated).toContain('ann/1 stands twice, at positions 1 and 21');
  });

  test('finds a commit that nobody planned', () => {
    const strange = said(({ commits }) => {
      commits.push({ position: 21, events: [] });
    });

    expect(strange).toContain('21 different commits stand, 20 were planned');
  });

  test('finds changed content', () => {
    expect(said(({ commits }) => changeEvent(commits, 4, { data: 'other' }))).toContain(
      'bob/2 stands in the log with other content',
    );
  });

  test('finds a wrong actor', () => {
    expect(said(({ commits }) => changeEvent(commits, 4, { actor: 'ann' }))).toContain(
      'bob/2 stands in the log with other content',
    );
  });

  test('finds a gap in the positions', () => {
    expect(said(({ commits }) => commits.splice(4, 1))).toContain('position 6 follows position 4');
  });

  test('finds a version that does not follow', () => {
    expect(said(({ commits }) => changeEvent(commits, 4, { version: 7 }))).toContain(
      'notes/bob has version 7 at position 4 where 2 must stand',
    );
  });

  test('finds a time that goes back', () => {
    expect(
      said(({ commits }) => changeEvent(commits, 4, { time: '2001-01-01T00:00:00.000Z' })),
    ).toContain('time goes back at position 4');
  });

  test('finds a commit that has lost its end', () => {
    const halved = said(({ commits }) => {
      const pair = commits.find((commit) => commit.events.length === 2);
      pair?.events.pop();
    });

    expect(halved).toContain('is out of place in its commit');
  });
});

describe('what projections must say', () => {
  const commits = () => faultless().commits;
  const entriesOf = (run: Commit[]) => [...folded(run).progress];

  test('is folded from the log by hand', () => {
    const { progress, raised } = folded(commits());
    expect([...progress.keys()].sort()).toEqual(plan.writers);
    expect(progress.get('ann')?.notes).toBe(plan.commitsPerWriter);
    expect(raised).toBe(0);
  });

  test('and a reading that agrees gives no difference', () => {
    const expected = folded(commits());
    expect([...misread('now', entriesOf(commits()), undefined, expected)]).toEqual([]);
  });

  test.each<[string, (run: Commit[]) => Commit[]]>([
    ['one commit less', (run) => run.slice(1)],
    ['one commit twice', (run) => [...run, run[0] as Commit]],
  ])('is compared: %s is told', (_, change) => {
    const found = [...misread('now', entriesOf(change(commits())), undefined, folded(commits()))];
    expect(found.join()).toContain('now the projection says');
  });

  test('is compared: a tally that misses one is told', () => {
    const expected = { ...folded(commits()), raised: 2 };
    const found = [...misread('now', entriesOf(commits()), { raised: 1 }, expected)];
    expect(found).toEqual(['now the tally is 1, the log raises it to 2']);
  });
});
