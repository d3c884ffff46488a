/** The store as its transactions see it. */
import { type MovedRead, ProjectionFailedError, type VersionFailure } from '../errors.js';
import type { Environment } from '../log/environment.js';
import type { RecordedEvent } from '../log/types.js';
import type { Projection } from '../projections/define.js';
import { ABSENT, FoldFailure, fold } from '../projections/fold.js';
import { NEEDS_IO } from '../projections/key-reader.js';
import type { EntriesOptions, Entry } from '../projections/types.js';
import type { TransactionSource } from '../transaction.js';
import type { Incoming } from './incoming.js';
import { checkEntries, checkKey, type Reads } from './reads.js';
import { whenReady } from './when-ready.js';

export function transactionSource(
  reads: Reads,
  incoming: Incoming,
  environment: Pick<Environment, 'clock' | 'monotonic' | 'randomBytes'>,
): TransactionSource {
  const { log, engine } = reads;
  return {
    turns: log.turnLocks,
    actor: reads.settings.actor,
    checkGet(projection: Projection, key: string) {
      reads.projection(projection);
      checkKey(key);
    },
    checkEntries(projection: Projection, options: EntriesOptions) {
      reads.projection(projection);
      checkEntries(options);
    },
    async head() {
      const look = reads.look.freshen();
      if (look) await look;
      return log.position;
    },
    async state(projection: Projection, key: string, position: number) {
      const runtime = reads.projection(projection);
      const ready = engine.whenReady(runtime);
      if (ready) await ready;
      const known = reads.getNowAt(runtime, key, position);
      return known === NEEDS_IO ? await log.run(reads.getAt(runtime, key, position)) : known;
    },
    entries(projection: Projection, options: EntriesOptions, position: number) {
      const runtime = reads.projection(projection);
      const begin = () =>
        // biome-ignore lint/correctness/useYield: the position is known
        reads.entries(runtime, options, function* () {
          return position;
        });
      return whenReady<Entry>(log.asyncSequence(begin), () => engine.whenReady(runtime));
    },
    async version(stream, position) {
      if (log.position === position) {
        const version = await log.run(log.version(stream));
        // Had the log gone on meanwhile, this could be a later one.
        if (log.position === position) return version;
      }
      return await log.run(log.versionAt(stream, position));
    },
    prepare: (event, path) => incoming.copy(event, path),
    interpret: (event: RecordedEvent) => reads.settings.interpreter.interpret(event),
    fold(projection: Projection, key: string, before: unknown, events: readonly RecordedEvent[]) {
      try {
        const state = fold(projection, key, before === undefined ? ABSENT : before, events);
        return state === ABSENT ? undefined : state;
      } catch (error) {
        if (!(error instanceof FoldFailure)) throw error;
        const { event, cause } = error;
        const facts = { projection: projection.name, key, event: event.id, cause };
        throw new ProjectionFailedError({ ...facts, position: event.position });
      }
    },
    commit: async (parts, options, guard) => await log.commit(parts, options, guard),
    async mover({ stream, expected, actual }: VersionFailure): Promise<MovedRead> {
      const from = typeof expected === 'number' ? expected + 1 : 1;
      const [event] =
        actual < from
          ? []
          : await log.asyncSequence(log.readingStream(stream, { from, limit: 1 })).toArray();
      return { stream, position: event?.position ?? log.position, actor: event?.actor };
    },
    monotonic: () => environment.monotonic(),
    time: () => new Date(environment.clock()).toISOString(),
    random: () => environment.randomBytes(1).readUInt8() / 255,
  };
}
