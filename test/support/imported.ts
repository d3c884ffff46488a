/** What stands in a memory after an import, without what differs each time: ids, positions and times of writing. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Episode, type Memory, openMemory } from '#src/index.js';
import { temporaryDirectory } from './temporary-directory.js';

export async function inMemory<T>(work: (memory: Memory) => Promise<T>): Promise<T> {
  const memory = await openMemory('memory:');
  try {
    return await work(memory);
  } finally {
    await memory.close();
  }
}

/** A file of the running test. */
export function fileWith(content: string | Buffer, name = 'source.txt'): string {
  const file = join(temporaryDirectory(), name);
  writeFileSync(file, content);
  return file;
}

export async function episodesIn(memory: Memory): Promise<Episode[]> {
  const episodes: Episode[] = [];
  for (let after: string | undefined; ; ) {
    const { items, next } = await memory.episodes.list({ after, limit: 1000 });
    episodes.push(...items);
    if (next === undefined) return episodes;
    after = next;
  }
}

export async function contentOf(memory: Memory): Promise<Record<string, readonly string[]>> {
  const graph = await memory.graph.readGraph();
  const records: string[] = [];
  for (let after: string | undefined; ; ) {
    const { items, next } = await memory.records.list({ after, limit: 1000 });
    records.push(...items.map(({ key, value, section }) => JSON.stringify([key, value, section])));
    if (next === undefined) break;
    after = next;
  }
  const episodes = (await episodesIn(memory)).map(
    ({ id: _, recordedAt: __, actor: ___, ...episode }) => JSON.stringify(inOrder(episode)),
  );
  const users = new Set<string>();
  const sites = new Set<string>();
  for await (const { stream } of memory.engine.readAll({ streams: ['users/*', 'sites/*'] })) {
    (stream.startsWith('users/') ? users : sites).add(stream);
  }
  const contexts = [...users].map(async (stream) => {
    const { preferences, topics } = await memory.users.getContext(stream.slice('users/'.length));
    return JSON.stringify([stream, inOrder(preferences), [...topics].sort()]);
  });
  return {
    entities: graph.entities
      .map((each) => JSON.stringify([each.name, each.entityType, each.observations]))
      .sort(),
    relations: graph.relations.map((each) => JSON.stringify(inOrder(each))).sort(),
    records,
    episodes: episodes.sort(),
    users: (await Promise.all(contexts)).sort(),
    sites: [...sites].sort(),
  };
}

function inOrder(members: object): object {
  return Object.fromEntries(Object.entries(members).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Runs git in a repository of the test's, as nobody in particular. */
export function git(repository: string, ...parameters: readonly string[]): string {
  const identity = ['-c', 'user.name=Nobody', '-c', 'user.email=nobody@example.com'];
  return execFileSync('git', ['-C', repository, ...identity, ...parameters], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null' },
  }).trim();
}

/** A chat of so many messages. */
export function remarks(count: number): string {
  const lines = Array.from({ length: count }, (_, index) => {
    const at = new Date(Date.UTC(2026, 0, 1, 0, index)).toISOString();
    return `[${at}] Anna: remark ${index}`;
  });
  return fileWith(lines.join('\n'), 'chat.txt');
}
