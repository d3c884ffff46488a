/**
 * Shows that the searches for lost and invented commits bite: each broken writer must be caught by a search that the healthy
 * one passes, with the same stories and seeds.
 */
import { afterAll, describe, expect, it, vi } from 'vitest';
import { type Search, searchKills, searchPowerLosses } from '../support/crash-search.js';
import { type FaultSearch, searchFaults } from '../support/fault-search.js';
import { readerBesideWriter, segmentChange, twoGroups, twoWriters } from '../support/stories.js';
import type { StoryOptions } from '../support/story.js';
import { brokenWriters } from './broken-writers.js';

afterAll(() => {
  vi.useRealTimers();
});

/** A search over one story: gives what it found wrong with the writer that it was given. */
type Trial = (wrap: Search['wrap']) => Promise<readonly string[]>;

const losePower =
  (options: StoryOptions): Trial =>
  async (wrap) =>
    (await searchPowerLosses(options, { wrap, samples: 1, findingsMax: 1 })).problems;

const killAny =
  (options: StoryOptions): Trial =>
  async (wrap) =>
    (await searchKills(options, { wrap, samples: 0, crashes: 80, findingsMax: 1 })).problems;

const failCalls =
  (options: StoryOptions, search: FaultSearch): Trial =>
  async (wrap) =>
    (await searchFaults(options, { wrap, findingsMax: 1, ...search })).problems;

const failedSyncs: FaultSearch = {
  calls: ({ method, path }) => method === 'sync' && path.includes('ndjson'),
  failuresAt: () => [{ code: 'EIO', lasting: false }],
  stops: () => 'never',
  evicts: () => false,
};

const failedWrites: FaultSearch = {
  calls: ({ method, path }) => method === 'write' && path.includes('ndjson'),
  failuresAt: () => [
    { code: undefined, lasting: false },
    { code: 'EIO', lasting: false, applied: true },
  ],
};

const trials: readonly [canary: keyof typeof brokenWriters, description: string, trial: Trial][] = [
  ['acknowledgesFirst', 'acknowledges before the sync', losePower(twoGroups)],
  ['retriesSync', 'tries a failed sync again', failCalls(twoGroups, failedSyncs)],
  ['dropsDirectorySync', 'drops the sync of a directory at creation', losePower(twoGroups)],
  [
    'dropsDirectorySync',
    'drops the sync of a directory at a change of segments',
    losePower(segmentChange),
  ],
  ['skipsRereading', 'skips the second look after locking', killAny(twoWriters)],
  ['readsBeyondTheMark', 'shows readers what stands beyond the mark', killAny(readerBesideWriter)],
  [
    'buildsOnUnprovenTail',
    'builds on what stands beyond the mark',
    failCalls(twoWriters, failedSyncs),
  ],
  [
    'onlySyncsTheTail',
    'syncs what another left without writing it again',
    failCalls(twoWriters, failedSyncs),
  ],
  [
    'forgetsToSyncCuts',
    'goes on before a cut is durable',
    failCalls(twoGroups, { ...failedWrites, stops: () => 'at once', samples: 40 }),
  ],
  ['trustsShortWrites', 'takes a short write for a whole one', failCalls(twoGroups, failedWrites)],
];

describe.each(trials)('%s', (canary, description, trial) => {
  it(`is caught, since it ${description}`, async () => {
    const problems = await trial(brokenWriters[canary]);
    expect(problems).not.toEqual([]);
  });

  it('and the healthy writer passes the same search', async () => {
    expect(await trial(undefined)).toEqual([]);
  });
});
