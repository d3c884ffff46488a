import { monitorEventLoopDelay } from 'node:perf_hooks';
import { inFreshDirectory } from './load.mjs';
import { loadRecollect } from './peers/recollect.mjs';

/** Runs in a child process: agents that each make one call after the other on one memory. */

const text = 'The parcel of the customer arrived at the upper shelf behind the tea. '.repeat(4);
const talk = (agent) => ({ conversationId: `talk-${agent}`, memoryType: 'short-term' });
const url = (agent) => `https://site-${agent}.example/login`;

/** What there must be before a call can be measured, and the call of an agent; `step` counts. */
const calls = {
  'engine.append': {
    run: ({ engine }, agent) =>
      engine.append(`notes/${agent}`, { type: 'episode.recorded', data: { text, at: AT } }),
  },
  'records.store': {
    run: ({ records }, agent, step) => records.store(`k-${agent}-${step % 100}`, { step, text }),
  },
  'records.update': {
    prepare: ({ records }, agent) => records.store(`k-${agent}`, { step: -1, text }),
    run: ({ records }, agent, step) =>
      records.update(`k-${agent}`, (draft) => {
        draft.step = step;
      }),
  },
  'records.get': {
    prepare: ({ records }, agent) => records.store(`k-${agent}`, { text }),
    run: ({ records }, agent) => records.get(`k-${agent}`),
  },
  'records.storeMany of 100': {
    run: ({ records }, agent, step) =>
      records.storeMany(
        Array.from({ length: 100 }, (_, index) => ({ key: `k-${agent}-${index}`, value: step })),
      ),
  },
  'conversations.store': {
    run: ({ conversations }, agent, step) =>
      conversations.store({ ...talk(`${agent}-${step >> 8}`), data: [text] }),
  },
  'conversations.update': {
    prepare: ({ conversations }, agent) =>
      conversations.store({ ...talk(agent), data: [text] }, { idempotencyKey: `talk-${agent}` }),
    run: async ({ conversations }, agent, step) => {
      const [{ id }] = await conversations.retrieve({ ...talk(agent), limit: 1 });
      await conversations.update({ ...talk(agent), id, data: `${step} ${text}` });
    },
  },
  'conversations.retrieve': {
    prepare: ({ conversations }, agent) =>
      conversations.store({ ...talk(agent), data: Array.from({ length: 50 }, () => text) }),
    run: ({ conversations }, agent) => conversations.retrieve(talk(agent)),
  },
  'users.updateContext': {
    run: ({ users }, agent) =>
      users.updateContext(`user-${agent}`, { message: text, response: text }),
  },
  'users.changeContext': {
    run: ({ users }, agent, step) =>
      users.changeContext(`user-${agent}`, (draft) => {
        draft.preferences.step = step;
      }),
  },
  'users.getContext': { run: ({ users }, agent) => users.getContext(`user-${agent}`) },
  'episodes.record': { run: ({ episodes }) => episodes.record({ text }) },
  'sites.recordVisit': {
    run: ({ sites }, agent) => sites.recordVisit(url(agent), { durationMs: 800, success: true }),
  },
  'skills.recordOutcome': {
    prepare: ({ skills }, agent) => skills.add(`skill-${agent}`, { description: text, steps: [] }),
    run: ({ skills }, agent) =>
      skills.recordOutcome(`skill-${agent}`, { success: true, durationMs: 90 }),
  },
  'graph.addObservations': {
    prepare: ({ graph }, agent) =>
      graph.createEntities([{ name: `e-${agent}`, entityType: 'thing', observations: [] }]),
    run: ({ graph }, agent, step) =>
      graph.addObservations([{ entityName: `e-${agent}`, contents: [`${step % 50}`, `n${step}`] }]),
  },
};
const AT = '2026-01-01T00:00:00.000Z';

const writing = Object.entries(calls)
  .filter(([name]) => !/get|retrieve|Many|append/i.test(name))
  .map(([, call]) => call);

calls['all that write'] = {
  prepare: async (memory, agent) => {
    for (const { prepare } of writing) await prepare?.(memory, agent);
  },
  run: (memory, agent, step) => writing[step % writing.length].run(memory, agent, step),
};

export function probe({ variant }) {
  return withMemory(async (memory) => {
    await calls[variant].prepare?.(memory, 0);
    await calls[variant].run(memory, 0, 0);
  });
}

async function withMemory(use) {
  const { openMemory } = await loadRecollect();
  return await inFreshDirectory(async (directory) => {
    const memory = await openMemory(`${directory}/memory`);
    try {
      return await use(memory);
    } finally {
      await memory.close();
    }
  });
}

/** Closed loop of so many agents on one memory. The delay is that beyond the 1 ms timer by which it is measured. */
export function closedLoop({ variant, agents, warmUpMs, measureMs }) {
  const { prepare, run } = calls[variant];
  return withMemory(async (memory) => {
    for (let agent = 0; agent < agents; agent += 1) await prepare?.(memory, agent);
    let done = 0;
    const steps = new Array(agents).fill(0);
    const runFor = async (milliseconds) => {
      const deadline = performance.now() + milliseconds;
      const agent = async (_, number) => {
        for (; performance.now() < deadline; steps[number] += 1) {
          await run(memory, number, steps[number]);
          done += 1;
          // Reads that are answered from memory would never let a timer have its turn.
          if (done % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
        }
      };
      await Promise.all(Array.from({ length: agents }, agent));
    };
    await runFor(warmUpMs);
    globalThis.gc?.();
    const before = done;
    const delay = monitorEventLoopDelay({ resolution: 1 });
    const cpuBefore = process.cpuUsage();
    const begun = performance.now();
    delay.enable();
    await runFor(measureMs);
    delay.disable();
    const elapsedMs = performance.now() - begun;
    const cpu = process.cpuUsage(cpuBefore);
    const count = done - before;
    const beyond = (nanoseconds) => Math.max(0, nanoseconds / 1e6 - 1);
    return {
      perSecond: (count / elapsedMs) * 1_000,
      cpuMicroseconds: (cpu.user + cpu.system) / count,
      delayP50Ms: beyond(delay.percentile(50)),
      delayP99Ms: beyond(delay.percentile(99)),
      delayMaxMs: beyond(delay.max),
    };
  });
}
