/** The check of test/support/history.ts finds wrong answers: each story here is one that no order explains. */
import { describe, expect, test } from 'vitest';
import { IdempotencyKeyReusedError, VersionConflictError } from '#src/errors.js';
import type { Committed, ExpectedVersion, RecordedEvent } from '#src/log/types.js';
import { type Answer, History } from '../test/support/history.js';
import type { CommitPlan } from '../test/support/ledger.js';

function plan(content: number, expectedVersion: ExpectedVersion = 'any', key?: string): CommitPlan {
  const parts = [{ stream: 'a/1', events: 1, expectedVersion }];
  return key === undefined ? { content, parts } : { content, parts, key };
}

function accepted(position: number, version = position, repeated = false): Answer {
  const answer: Committed = { position, time: '', versions: { 'a/1': version }, repeated };
  return { kind: 'durable', answer };
}

function conflict(expected: number | 'absent' | 'exists', actual: number): Answer {
  const failures = [{ stream: 'a/1', expected, actual }];
  return { kind: 'refused', error: new VersionConflictError(failures) };
}

/** A log of one-event commits with these contents and keys. */
function log(...contents: readonly (number | readonly [number, string])[]): RecordedEvent[] {
  return contents.map((content, index) => {
    const [number, key] = typeof content === 'number' ? [content] : content;
    return {
      id: `${index + 1}.0`,
      position: index + 1,
      index: 0,
      last: true,
      time: '',
      stream: 'a/1',
      version: index + 1,
      type: 'x',
      schemaVersion: 1,
      data: { content: number },
      ...(key === undefined ? {} : { idempotencyKey: key }),
    };
  });
}

describe('a history', () => {
  test('is right when calls at the same time are answered in any order', () => {
    const history = new History(10);
    const one = history.called(0, plan(1));
    const two = history.called(1, plan(2));
    one(accepted(2));
    two(accepted(1));
    expect(history.problems(log(2, 1))).toEqual([]);
  });

  test('is right when a refusal saw the log between its call and its answer', () => {
    const history = new History(10);
    const refused = history.called(0, plan(9, 1));
    history.called(1, plan(1))(accepted(1));
    history.called(1, plan(2))(accepted(2));
    refused(conflict(1, 2));
    expect(history.problems(log(1, 2))).toEqual([]);
  });

  const wrong: readonly (readonly [string, (history: History) => RecordedEvent[]])[] = [
    [
      'an answer that never came',
      (history) => {
        history.called(0, plan(1));
        return log();
      },
    ],
    [
      'an acknowledged commit that is lost',
      (history) => {
        history.called(0, plan(1))(accepted(1));
        return log();
      },
    ],
    [
      'a commit that nobody made',
      (history) => {
        history.called(0, plan(1))(accepted(1));
        return log(1, 2);
      },
    ],
    [
      'two answers with one position',
      (history) => {
        history.called(0, plan(1))(accepted(1));
        history.called(1, plan(1))(accepted(1));
        return log(1);
      },
    ],
    [
      'a commit before one that was answered before it was called',
      (history) => {
        history.called(0, plan(1))(accepted(2));
        history.called(1, plan(2))(accepted(1));
        return log(2, 1);
      },
    ],
    [
      'commits of one opener in another order than they were called',
      (history) => {
        const one = history.called(0, plan(1));
        const two = history.called(0, plan(2));
        one(accepted(2));
        two(accepted(1));
        return log(2, 1);
      },
    ],
    [
      'an accepted commit whose condition did not hold',
      (history) => {
        history.called(0, plan(1))(accepted(1));
        history.called(0, plan(2, 'absent'))(accepted(2));
        return log(1, 2);
      },
    ],
    [
      'a refusal that rests on a log from before its call',
      (history) => {
        history.called(0, plan(1))(accepted(1));
        history.called(1, plan(2, 1))(conflict(1, 0));
        return log(1);
      },
    ],
    [
      'a refusal that rests on a commit called after its answer',
      (history) => {
        history.called(0, plan(2, 'absent'))(conflict('absent', 1));
        history.called(1, plan(1))(accepted(1));
        return log(1);
      },
    ],
    [
      'a refusal that rests on its opener’s own later commit',
      (history) => {
        const refused = history.called(0, plan(2, 'absent'));
        history.called(0, plan(1))(accepted(1));
        refused(conflict('absent', 1));
        return log(1);
      },
    ],
    [
      'two refusals one after the other that saw the log shrink',
      (history) => {
        const one = history.called(0, plan(1));
        const two = history.called(0, plan(2));
        history.called(1, plan(8, 7))(conflict(7, 2));
        history.called(1, plan(9, 7))(conflict(7, 1));
        one(accepted(1));
        two(accepted(2));
        return log(1, 2);
      },
    ],
    [
      'a read that misses what was answered before it',
      (history) => {
        history.called(0, plan(1))(accepted(1));
        history.called(1)({ kind: 'read', commits: 0 });
        return log(1);
      },
    ],
    [
      'a version from before',
      (history) => {
        history.called(0, plan(1))(accepted(1));
        history.called(1)({ kind: 'version', stream: 'a/1', version: 0 });
        return log(1);
      },
    ],
    [
      'a key that was accepted twice',
      (history) => {
        history.called(0, plan(1, 'any', 'k'))(accepted(1));
        history.called(0, plan(1, 'any', 'k'))(accepted(2));
        return log([1, 'k'], [1, 'k']);
      },
    ],
    [
      'a repeat that was forgotten by the window',
      (history) => {
        history.called(0, plan(1, 'any', 'k1'))(accepted(1));
        history.called(0, plan(2, 'any', 'k2'))(accepted(2));
        history.called(0, plan(3, 'any', 'k3'))(accepted(3));
        history.called(0, plan(1, 'any', 'k1'))(accepted(1, 1, true));
        return log([1, 'k1'], [2, 'k2'], [3, 'k3']);
      },
    ],
    [
      'a key that is refused for its own content',
      (history) => {
        history.called(0, plan(1, 'any', 'k'))(accepted(1));
        const error = new IdempotencyKeyReusedError('k', 1);
        history.called(0, plan(1, 'any', 'k'))({ kind: 'refused', error });
        return log([1, 'k']);
      },
    ],
    [
      'an answer with another version than it has',
      (history) => {
        history.called(0, plan(1))(accepted(1, 2));
        return log(1);
      },
    ],
  ];

  test.each(wrong)('is wrong with %s', (_, tell) => {
    const history = new History(2);
    expect(history.problems(tell(history))).not.toEqual([]);
  });
});
