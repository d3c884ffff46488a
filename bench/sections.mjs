import * as agents from './agents.mjs';
import * as append from './append.mjs';
import * as cli from './cli.mjs';
import * as compaction from './compaction.mjs';
import * as cost from './cost.mjs';
import * as latency from './latency.mjs';
import * as locks from './locks.mjs';
import * as memory from './memory.mjs';
import * as opening from './opening.mjs';
import * as processes from './processes.mjs';
import * as projections from './projections.mjs';
import * as reads from './reads.mjs';
import * as replay from './replay.mjs';
import * as restore from './restore.mjs';
import * as scan from './scan.mjs';
import * as subscriptions from './subscriptions.mjs';
import * as synchronous from './synchronous.mjs';
import * as transactions from './transactions.mjs';

/** Each `{ title, measure(settings) -> { tables, checks, raw, note? } }`, by the name that `--only` takes. */
export const sections = {
  append,
  latency,
  synchronous,
  processes,
  scan,
  cost,
  reads,
  replay,
  transactions,
  projections,
  opening,
  restore,
  memory,
  compaction,
  subscriptions,
  locks,
  cli,
  agents,
};

/** How long and how often is measured. Fewer than seven rounds decide nothing on a shared machine. */
export const settings = {
  full: {
    rounds: 7,
    warmUpMs: 1_000,
    measureMs: 1_000,
    callers: [1, 16, 256, 4096],
    openings: [10_000, 100_000],
    keys: 10_000,
    coldKeys: 10_000,
    replayEvents: 1_000_000,
    historyEvents: [100_000, 1_000_000],
    tailCommits: 10_000,
    indexTexts: [10_000, 100_000],
    useTurns: 100_000,
    archivedEvents: 100_000,
    restoreEvents: 300_000,
    commandEvents: 1_000_000,
    inFlight: [1, 16, 256],
    appendCallers: 256,
    liveEvents: 400,
    contenderTurns: 100,
    agentPuts: 100,
    agentFilled: 1000,
    kills: 20,
    agentEntries: 100_000,
  },
  quick: {
    rounds: 3,
    warmUpMs: 500,
    measureMs: 400,
    callers: [1, 16, 256, 4096],
    openings: [10_000, 100_000],
    keys: 10_000,
    coldKeys: 2_000,
    replayEvents: 200_000,
    historyEvents: [20_000, 200_000],
    tailCommits: 10_000,
    indexTexts: [10_000, 50_000],
    useTurns: 20_000,
    archivedEvents: 60_000,
    restoreEvents: 100_000,
    commandEvents: 100_000,
    inFlight: [1, 16, 256],
    appendCallers: 256,
    liveEvents: 200,
    contenderTurns: 40,
    agentPuts: 50,
    agentFilled: 1000,
    kills: 5,
    agentEntries: 100_000,
  },
  smoke: {
    rounds: 1,
    warmUpMs: 20,
    measureMs: 40,
    callers: [1, 16],
    openings: [50, 500],
    keys: 100,
    coldKeys: 50,
    replayEvents: 1_000,
    historyEvents: [200, 1_000],
    tailCommits: 50,
    indexTexts: [50, 500],
    useTurns: 200,
    archivedEvents: 500,
    restoreEvents: 500,
    commandEvents: 500,
    inFlight: [1, 16],
    appendCallers: 16,
    liveEvents: 20,
    contenderTurns: 2,
    agentPuts: 3,
    agentFilled: 10,
    kills: 1,
    agentEntries: 200,
  },
};
