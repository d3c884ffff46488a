/** Commands that run at once, and the serial order that the log says they had. */

import type { WriteOptions } from '#src/memory/access.js';
import type { Models } from '#src/memory/models.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { openModels } from './support-sites.js';

export interface ConcurrentCommand {
  run(models: Models, options: WriteOptions): unknown;
}

export interface Outcome<Command> {
  readonly command: Command;
  readonly result: unknown;
}

export interface Ran<Command, State> {
  /** Commands that wrote something, in the order of their commits, with what they answered. */
  readonly committed: readonly Outcome<Command>[];
  /** Afterwards, after opening again, and with nothing kept in the cache. */
  readonly states: readonly State[];
}

/** Runs all commands without waiting for any, then reads what came of it in three ways. */
export async function runAtOnce<Command extends ConcurrentCommand, State>(
  commands: readonly Command[],
  read: (models: Models) => Promise<State>,
): Promise<Ran<Command, State>> {
  const directory = temporaryDirectory();
  const models = await openModels(directory);
  const results = await Promise.all(
    commands.map(async (command, index) => command.run(models, { correlationId: `${index}` })),
  );
  const indices = new Set<number>();
  for (const { correlationId } of models.store.readAllSync()) indices.add(Number(correlationId));
  const committed = [...indices].map((index) => ({
    command: commands[index] as Command,
    result: results[index],
  }));
  const states = [await read(models)];
  await models.store.close();
  for (const options of [{}, { cacheBytes: 0 }]) {
    const again = await openModels(directory, options);
    states.push(await read(again));
    await again.store.close();
  }
  return { committed, states };
}

/** What the commands come to one after the other, in a memory of their own. */
export async function runInOrder<State>(
  commands: readonly ConcurrentCommand[],
  read: (models: Models) => Promise<State>,
): Promise<State> {
  const models = await openModels();
  for (const command of commands) await command.run(models, {});
  const state = await read(models);
  await models.store.close();
  return state;
}
