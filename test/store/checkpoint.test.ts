/** What a checkpoint says of a write that fails, or that something else ends: a log whose every commit the test answers itself. */
import { describe, expect, test } from 'vitest';
import {
  OutcomeUnknownError,
  RecollectError,
  SubscriptionInUseError,
  VersionConflictError,
} from '#src/errors.js';
import type { LogInternals } from '#src/log/internals.js';
import type { CommitPart, Committed, RecordedEvent } from '#src/log/types.js';
import { Checkpoint } from '#src/store/checkpoint.js';
import { turn } from '../support/story.js';

const BEFORE = '2026-01-01T00:00:00.000Z';
const TIME = '2026-01-01T00:00:01.000Z';

class AnsweredLog {
  readonly storeId = 'id';
  readonly environment = { monotonic: () => 0, clock: () => Date.parse(TIME) };
  readonly handedOver: {
    readonly part: CommitPart | undefined;
    readonly succeed: () => void;
    readonly fail: (error: unknown) => void;
  }[] = [];

  commitOwn([part]: readonly CommitPart[]): Promise<Committed> {
    return new Promise((resolve, reject) => {
      const position = 100 + this.handedOver.length;
      const succeed = () => resolve({ position, time: TIME, versions: {}, repeated: false });
      this.handedOver.push({ part, succeed, fail: reject });
    });
  }

  /** What was handed over as the how-manieth, from 0. */
  at(index: number) {
    const commit = this.handedOver[index];
    if (!commit) throw new Error(`only ${this.handedOver.length} were handed over`);
    return commit;
  }
}

/** A checkpoint whose first write is on its way, for one event, and a second event that is done behind it. */
function writing() {
  const log = new AnsweredLog();
  const failures: unknown[] = [];
  const found = { place: { position: 1, index: 0 }, version: 7, time: BEFORE };
  const checkpoint = new Checkpoint(log as unknown as LogInternals, 'n', found, (error) => {
    failures.push(error);
  });
  const done = (position: number) =>
    checkpoint.done({ position, index: 0, last: true, time: TIME } as RecordedEvent, position);
  done(1);
  return { log, checkpoint, failures, done };
}

/** A promise whose failure is looked at later. */
function watched(promise: Promise<void>): Promise<void> {
  promise.catch(() => {});
  return promise;
}

/** How a promise stands at this moment. */
async function stateOf(promise: Promise<unknown>): Promise<unknown> {
  await turn();
  const told = promise.then(
    () => 'saved',
    (error: unknown) => error,
  );
  return await Promise.race([told, turn().then(() => 'waiting')]);
}

const full = () => new RecollectError('STORE_FULL', 'There is no room.');

describe('saving a checkpoint', () => {
  test.each([
    ['whose outcome is unknown', () => new OutcomeUnknownError('it is unknown'), undefined],
    ['that another reader forestalled', () => new VersionConflictError([]), SubscriptionInUseError],
  ])('is refused with the write on its way %s', async (_, make, told) => {
    const { log, checkpoint, failures } = writing();
    const saved = watched(checkpoint.save());
    const error = make();
    log.at(0).fail(error);
    const state = await stateOf(saved);
    if (told) expect(state).toBeInstanceOf(told);
    else expect(state).toBe(error);
    expect(failures).toEqual([state]);
    await expect(checkpoint.save()).rejects.toBe(state);
    expect(log.handedOver).toHaveLength(1);
  });

  test('tries again what failed and may succeed', async () => {
    const { log, checkpoint } = writing();
    const saved = watched(checkpoint.save());
    log.at(0).fail(full());
    expect(await stateOf(saved)).toBe('waiting');
    log.at(1).succeed();
    expect(await stateOf(saved)).toBe('saved');
    expect(checkpoint.position).toBe(1);
  });

  test('waits for the last write of all when that is under way', async () => {
    const { log, checkpoint, done } = writing();
    done(2);
    const saved = watched(checkpoint.save());
    const ended = watched(checkpoint.end(undefined));
    log.at(0).succeed();
    expect(await stateOf(saved)).toBe('waiting');
    log.at(1).succeed();
    expect(await stateOf(saved)).toBe('saved');
    await ended;
    expect(checkpoint.position).toBe(2);
    expect(log.handedOver).toHaveLength(2);
  });

  test('is refused with the last write of all', async () => {
    const { log, checkpoint, done } = writing();
    done(2);
    const saved = watched(checkpoint.save());
    const ended = watched(checkpoint.end(undefined));
    log.at(0).succeed();
    const error = full();
    log.at(1).fail(error);
    expect(await stateOf(ended)).toBe(error);
    expect(await stateOf(saved)).toBe(error);
    expect(checkpoint.position).toBe(1);
    expect(log.handedOver).toHaveLength(2);
  });

  test('hands nothing over any more once it ended, when the name may be another reader’s', async () => {
    const { log, checkpoint, done } = writing();
    done(2);
    const saved = watched(checkpoint.save());
    const ended = watched(checkpoint.end(undefined));
    const error = full();
    log.at(0).fail(error);
    log.at(1).fail(new VersionConflictError([]));
    expect(await stateOf(ended)).toBe(error);
    expect(await stateOf(saved)).toBe(error);
    await expect(checkpoint.save()).rejects.toBe(error);
    expect(log.handedOver.map(({ part }) => part?.expectedVersion)).toEqual([7, 8]);
  });
});
