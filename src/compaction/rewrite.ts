/** A restore to an earlier moment: the commits up to there, read from a log that others may go on writing, in a store of their own. */
import { StoreDamagedError } from '../errors.js';
import type { CommitHead } from '../log/decode.js';
import type { FeedCommit } from '../log/feed.js';
import { isoTime } from '../log/group.js';
import { closeQuietly, type Io, runAsync } from '../log/io.js';
import type { Log } from '../log/log.js';
import { LogBuilder } from '../log/log-builder.js';
import type { VerifyReport } from '../log/verify.js';
import { ORIGIN_STREAM, ORIGIN_TYPE, type Origin } from './origin.js';
import { type RestoreReport, type Restoring, reportOf } from './restoring.js';
import { findSource, sourceSettings } from './source.js';

export interface Rewriting extends Restoring {
  /** The source, open for reading. */
  readonly log: Log;
  /** The last position to take over. */
  readonly position: number;
}

export async function rewriteTo(rewriting: Rewriting): Promise<RestoreReport> {
  const { environment, source, target, course, log, position, options } = rewriting;
  await verifySource(rewriting);
  const found = await findSource(environment, sourceSettings(source, options));
  closeQuietly(environment.disk, found.lockFile);
  const { durability, idempotencyWindow, id } = found.store;
  const build = function* (): Io<RestoreReport> {
    const builder = yield* LogBuilder.begin(environment, target, { durability, idempotencyWindow });
    try {
      const time = yield* copyCommits(rewriting, builder);
      const origin: Origin = {
        from: rewriting.manifest ? 'backup' : 'store',
        store: id,
        position,
        time: time === '' ? null : time,
        head: { position: log.head.position, seal: log.head.seal },
      };
      const now = isoTime(environment.clock());
      yield* builder.add({ t: now, e: [[ORIGIN_STREAM, 0, ORIGIN_TYPE]] }, { data: [origin] });
      course.begin('verify', 'bytes');
      yield* builder.publish({ onProgress: ({ bytes }) => course.reach(bytes) });
      return reportOf(target, builder.store.id, origin, builder.head);
    } catch (error) {
      yield* builder.discard();
      throw error;
    }
  };
  return await runAsync(environment.disk, build());
}

/** @throws StoreDamagedError unless the whole source is sound, also what is left out */
async function verifySource({ source, course, log }: Rewriting): Promise<void> {
  course.begin('verify', 'bytes');
  const onProgress = ({ bytes }: { bytes: number }): void => course.reach(bytes);
  const report: VerifyReport = await log.verify({ deep: true, onProgress });
  if (report.damage) throw new StoreDamagedError({ directory: source, ...report.damage });
  course.end();
}

/** One commit at a time, so that memory holds no more than that. Gives the time of the last. */
function* copyCommits({ log, course, position }: Rewriting, builder: LogBuilder): Io<string> {
  const feed = log.internals.feed(0);
  let head: CommitHead | undefined;
  let payload = '';
  const take = (commit: FeedCommit): void => {
    head = commit.head();
    payload = commit.payload();
  };
  course.begin('write', 'commits', position);
  while (feed.position < position) {
    yield* feed.advance(take, feed.position + 1);
    if (head) yield* builder.add(head, payload);
    course.reach(feed.position);
  }
  course.end();
  return head?.t ?? '';
}
