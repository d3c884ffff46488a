/** Where a reader begins that has just taken its name, and that nobody before it can move any more. */
import { VersionConflictError } from '../errors.js';
import type { Beginning } from '../log/follow.js';
import type { LogInternals } from '../log/internals.js';
import type { Committed } from '../log/types.js';
import {
  CHECKPOINT_STREAMS,
  checkpointFailure,
  checkpointPart,
  type FoundCheckpoint,
  findCheckpoint,
  progressAt,
} from './checkpoint-record.js';
import { checkBeginning } from './live-reading.js';

/** Who has the name holds its lock, so nobody else writes there: one that comes to light is the last of a reader that died. */
const ATTEMPTS = 3;

export interface ClaimedCheckpoint extends FoundCheckpoint {
  readonly place: Beginning;
}

/**
 * The last checkpoint of that name; where there is none, one at the beginning is made durable. To be called under the lock of the name.
 *
 * The reader before may have died over its last checkpoint: written, but not proven to stand. Whoever writes to the log next proves it, and
 * would be that reader's next one. So where the end of the log is not proven, what was found is written again on the condition that it is the last.
 * @throws SubscriptionInUseError when somebody else goes on writing under that name; PositionAheadError; what reading and appending throw
 */
export async function claimCheckpoint(
  log: LogInternals,
  name: string,
  begin: Beginning,
): Promise<ClaimedCheckpoint> {
  for (let attempt = 1; ; attempt += 1) {
    // Asked first: what comes to light in between is found by the look.
    const isProven = await log.run(log.isProven());
    // Under the lock alone: whoever had the name before may have moved its checkpoint until then.
    await log.run(log.look());
    const found = await log.run(findCheckpoint(log, `${CHECKPOINT_STREAMS}${name}`));
    const place = found.place ?? begin;
    if (found.place && isProven) return { ...found, place };
    await log.run(checkBeginning(log, place));
    try {
      // Where it begins is fixed from now on: after a death, the end would be another one.
      const { time } = await write(log, name, found.version, place);
      return { place, version: found.version + 1, time };
    } catch (error) {
      const isMoved = error instanceof VersionConflictError;
      if (!isMoved || attempt === ATTEMPTS) throw checkpointFailure(name, error);
    }
  }
}

async function write(
  log: LogInternals,
  name: string,
  version: number,
  place: Beginning,
): Promise<Committed> {
  const progress = await log.run(progressAt(log, place));
  return await log.commitOwn([checkpointPart(log, name, progress, version)]);
}
