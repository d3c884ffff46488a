/**
 * Crashes at every call to the disk: of the machine, with every state that the unsynced writes can be left in, of one
 * process while others go on, and again while the next one repairs.
 *
 * A failure prints the story, the crash and the state, which is all it takes to see it again, and the last calls to the disk.
 */
import fc from 'fast-check';
import { afterAll, describe, expect, it, vi } from 'vitest';
import {
  type Findings,
  type Search,
  searchCrashesInRecovery,
  searchKills,
  searchKillsThenPowerLosses,
  searchPowerLosses,
} from '../test/support/crash-search.js';
import { storiesBy } from '../test/support/random-stories.js';
import { seed, timeoutMs, times } from '../test/support/runs.js';
import { allStories, twoGroups } from '../test/support/stories.js';
import type { StoryOptions } from '../test/support/story.js';

afterAll(() => {
  vi.useRealTimers();
});

type SearchFor = (options: StoryOptions, search: Search) => Promise<Findings>;

async function expectNothingWrong(
  searchFor: SearchFor,
  options: StoryOptions,
  search: Search,
): Promise<Findings> {
  const findings = await searchFor(options, search);
  expect(findings.problems.join('\n\n')).toBe('');
  return findings;
}

/** The same story, with a seed of its own in long runs. */
function again(options: StoryOptions): StoryOptions {
  return seed === 1 ? options : { ...options, seed: options.seed + seed };
}

describe.each(Object.entries(allStories))('%s', (_name, options) => {
  it('survives a power loss at every call', { timeout: timeoutMs }, async () => {
    const findings = await expectNothingWrong(searchPowerLosses, again(options), {
      samples: times(2),
    });
    expect(findings.states).toBeGreaterThan(40);
  });

  it('survives the death of a process at every call', { timeout: timeoutMs }, async () => {
    const findings = await expectNothingWrong(searchKills, again(options), {
      samples: times(1) - 1,
      crashes: times(30),
    });
    expect(findings.states).toBeGreaterThan(40);
  });

  it('survives a death, then a power loss while others go on', { timeout: timeoutMs }, async () => {
    await expectNothingWrong(searchKillsThenPowerLosses, again(options), {
      samples: 1,
      crashes: times(8),
    });
  });

  it('survives a second crash during the repair', { timeout: timeoutMs }, async () => {
    await expectNothingWrong(searchCrashesInRecovery, again(options), {
      samples: times(1) - 1,
      crashes: times(1),
    });
  });
});

describe('a small story', () => {
  it('survives every state that a power loss can leave', { timeout: timeoutMs }, async () => {
    const findings = await expectNothingWrong(searchPowerLosses, twoGroups, {
      statesMax: 100_000,
      crashes: times(8),
      // Creation alone would give 12,000 states of an anchor that nobody looks at yet.
      still: times(1) > 1 ? /lock$/ : /lock$|anchor$/,
    });
    expect(findings.states).toBeGreaterThan(300);
  });
});

describe('stories by chance', () => {
  it('survive crashes anywhere', { timeout: timeoutMs }, async () => {
    await fc.assert(
      fc.asyncProperty(storiesBy('sync'), async (story) => {
        await expectNothingWrong(searchPowerLosses, story, { samples: 1, crashes: 20 });
        await expectNothingWrong(searchKills, story, { samples: 0, crashes: 20 });
        await expectNothingWrong(searchKillsThenPowerLosses, story, { samples: 1, crashes: 10 });
        await expectNothingWrong(searchCrashesInRecovery, story, { samples: 0, crashes: 1 });
      }),
      { numRuns: times(3), seed, endOnFailure: true },
    );
  });
});

describe("with durability 'os'", () => {
  it('a killed process loses nothing', { timeout: timeoutMs }, async () => {
    await fc.assert(
      fc.asyncProperty(storiesBy('os'), async (story) => {
        await expectNothingWrong(searchKills, story, { samples: 0, crashes: 20 });
      }),
      { numRuns: times(3), seed, endOnFailure: true },
    );
  });

  it('a power loss takes only what was not synced', { timeout: timeoutMs }, async () => {
    await fc.assert(
      fc.asyncProperty(storiesBy('os'), async (story) => {
        await expectNothingWrong(searchPowerLosses, story, { samples: 4, crashes: 20 });
        await expectNothingWrong(searchKillsThenPowerLosses, story, { samples: 2, crashes: 10 });
        await expectNothingWrong(searchCrashesInRecovery, story, { samples: 1, crashes: 1 });
      }),
      { numRuns: times(3), seed, endOnFailure: true },
    );
  });
});
