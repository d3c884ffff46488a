/** The stories that every search begins with: each has one thing in it that can go wrong in a way of its own. */
import type { CommitPlan, PlannedPart } from './ledger.js';
import type { StoryOptions } from './story.js';

let contents = 0;

/** A commit of one event, or what is said. */
function plan(stream: string, more: Partial<CommitPlan> & Partial<PlannedPart> = {}): CommitPlan {
  contents += 1;
  const { events = 1, expectedVersion, ...rest } = more;
  const part = { stream, events, ...(expectedVersion === undefined ? {} : { expectedVersion }) };
  return { content: contents, parts: [part], ...rest };
}

const keyed = plan('x/1', { key: 'once' });

/** Creation and two groups: small enough to look at every state. */
export const twoGroups: StoryOptions = {
  seed: 1,
  steps: [
    { do: 'open', log: 'a', how: 'sync' },
    { do: 'append', log: 'a', how: 'sync', commits: [plan('x/1')] },
    {
      do: 'append',
      log: 'a',
      how: 'async',
      commits: [plan('x/1', { expectedVersion: 1 }), plan('y/1')],
    },
  ],
};

/** A segment becomes full, is closed, and the next one begins; anchors move, the log is closed. */
export const segmentChange: StoryOptions = {
  seed: 2,
  steps: [
    { do: 'append', log: 'a', how: 'sync', commits: [plan('x/1', { padding: 3800 })] },
    { do: 'append', log: 'a', how: 'async', commits: [plan('x/1'), plan('y/1', { events: 2 })] },
    { do: 'wait' },
    { do: 'append', log: 'a', how: 'sync', commits: [plan('y/1', { padding: 3700 })] },
    { do: 'append', log: 'a', how: 'sync', commits: [plan('y/1', { expectedVersion: 3 })] },
    { do: 'close', log: 'a', how: 'async' },
    { do: 'append', log: 'a', how: 'sync', commits: [plan('x/1')] },
    { do: 'close', log: 'a', how: 'sync' },
  ],
};

/** Two processes in turn, with conditions that hold and that do not, and a key used again. */
export const twoWriters: StoryOptions = {
  seed: 3,
  skewMs: { b: -5000 },
  steps: [
    { do: 'open', log: 'a', how: 'async' },
    { do: 'open', log: 'b', how: 'sync' },
    {
      do: 'append',
      log: 'a',
      how: 'async',
      commits: [plan('x/1', { expectedVersion: 'absent' }), keyed],
    },
    {
      do: 'append',
      log: 'b',
      how: 'async',
      commits: [plan('x/1', { expectedVersion: 1 }), plan('x/1')],
    },
    { do: 'append', log: 'b', how: 'sync', commits: [keyed, plan('z/1', { key: 'once' })] },
    {
      do: 'append',
      log: 'a',
      how: 'mixed',
      commits: [plan('y/1', { padding: 700 }), plan('x/1'), plan('y/1')],
    },
    { do: 'read', log: 'b', how: 'async' },
    { do: 'append', log: 'b', how: 'sync', commits: [plan('x/1', { expectedVersion: 4 })] },
  ],
};

/** Two writers change segments under each other's hands while a third process reads. */
export const sharedSegments: StoryOptions = {
  seed: 4,
  steps: [
    { do: 'append', log: 'a', how: 'sync', commits: [plan('x/1', { padding: 3900 })] },
    { do: 'open', log: 'b', how: 'sync' },
    { do: 'read', log: 'r', how: 'sync' },
    {
      do: 'append',
      log: 'b',
      how: 'async',
      commits: [plan('x/1'), plan('y/1', { padding: 4000 })],
    },
    { do: 'read', log: 'r', how: 'sync' },
    {
      do: 'append',
      log: 'a',
      how: 'sync',
      commits: [plan('x/1', { expectedVersion: 2 }), plan('y/1')],
    },
    { do: 'close', log: 'b', how: 'sync' },
    { do: 'append', log: 'b', how: 'sync', commits: [plan('y/1', { padding: 4000 }), plan('x/1')] },
    { do: 'read', log: 'r', how: 'async' },
    { do: 'append', log: 'a', how: 'async', commits: [plan('x/1'), plan('y/1')] },
    { do: 'read', log: 'a', how: 'sync' },
  ],
};

/** One process that opens the store twice, and commits over several streams and sectors. */
export const twoLogsOfOneProcess: StoryOptions = {
  seed: 5,
  steps: [
    { do: 'open', log: 'a', how: 'sync' },
    { do: 'open', log: 'a2', how: 'async' },
    {
      do: 'append',
      log: 'a2',
      how: 'async',
      commits: [
        {
          content: 100,
          parts: [
            { stream: 'x/1', events: 2 },
            { stream: 'y/1', events: 1, expectedVersion: 0 },
          ],
          checks: [{ stream: 'z/1', expectedVersion: 'absent' }],
          padding: 400,
        },
      ],
    },
    { do: 'append', log: 'a', how: 'sync', commits: [plan('x/1', { expectedVersion: 2 })] },
    { do: 'close', log: 'a', how: 'async' },
    {
      do: 'append',
      log: 'a2',
      how: 'sync',
      commits: [
        {
          content: 101,
          parts: [{ stream: 'y/1', events: 1, expectedVersion: 'exists' }],
          checks: [{ stream: 'x/1', expectedVersion: 7 }],
        },
        plan('y/1', { padding: 1500 }),
      ],
    },
  ],
};

/** A reader looks whenever a writer is done, or died. */
export const readerBesideWriter: StoryOptions = {
  seed: 6,
  steps: [
    { do: 'append', log: 'a', how: 'sync', commits: [plan('x/1')] },
    { do: 'read', log: 'r', how: 'sync' },
    { do: 'append', log: 'a', how: 'async', commits: [plan('x/1'), plan('y/1')] },
    { do: 'read', log: 'r', how: 'async' },
  ],
};

/** Groups of several sectors by two writers in turn, so that what one left half written and what the next wrote over it could mix. */
export const longGroupsInTurn: StoryOptions = {
  seed: 7,
  steps: [
    { do: 'open', log: 'a', how: 'sync' },
    { do: 'append', log: 'b', how: 'sync', commits: [plan('x/1')] },
    { do: 'append', log: 'a', how: 'sync', commits: [plan('x/1', { padding: 2000 })] },
    { do: 'append', log: 'b', how: 'sync', commits: [plan('y/1', { padding: 1700 })] },
  ],
};

export const allStories: Readonly<Record<string, StoryOptions>> = {
  'creation and two groups': twoGroups,
  'a change of segments': segmentChange,
  'two writers': twoWriters,
  'segments shared by two writers and a reader': sharedSegments,
  'one process with two logs': twoLogsOfOneProcess,
  'a reader beside a writer': readerBesideWriter,
};
