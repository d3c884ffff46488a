import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Child, Crew } from './children.mjs';
import { inFreshDirectory } from './load.mjs';
import { memories } from './peers/memories.mjs';
import { conversationsOf } from './recall/conversations.mjs';
import { minisearch, recollect } from './recall/engines.mjs';
import { evaluate } from './recall/measures.mjs';
import { pagesOf } from './recall/pages.mjs';
import { fullText, substring } from './recall/words.mjs';
import { count, milliseconds, ratio } from './report.mjs';
import { Results } from './rounds.mjs';
import { rotated } from './statistics.mjs';

export const title = 'What agents use now, as a memory';

const module = './comparing.mjs';
const processes = 4;
const callersTogether = 4;
const callers = [1, 256];
const victim = fileURLToPath(new URL('victim.mjs', import.meta.url));
const victimCallers = 16;
const seeds = [1, 2, 3, 4, 5];
const kinds = { conversations: conversationsOf, 'long documents': pagesOf };

export async function measure(settings) {
  const names = Object.keys(memories);
  const crew = await Crew.muster(names, module);
  const results = new Results(crew.missing);
  const present = names.filter((name) => crew.has(name));
  try {
    const keeping = [];
    for (const name of present) {
      const { keepsNothing } = await crew.run(name, module, 'probe');
      if (!keepsNothing) keeping.push(name);
      results.add('explain', name, await crew.run(name, module, 'explain'));
    }
    for (let round = 0; round < settings.rounds; round += 1) {
      for (const name of rotated(keeping, round)) {
        for (const number of callers) {
          const { warmUpMs, measureMs, agentFilled: filled } = settings;
          const input = { callers: number, filled, warmUpMs, measureMs };
          results.add(`rate ${number}`, name, await crew.run(name, module, 'rate', input));
        }
      }
    }
    for (const name of keeping) {
      results.add('together', name, await together(name, settings.agentPuts));
      results.add('killed', name, await killed(name, settings.kills));
    }
    for (const name of present) {
      for (const each of await opened(name, settings)) results.add('open', name, each);
    }
  } finally {
    crew.dismiss();
  }
  for (const [kind, name, recall] of await recalled()) results.add(kind, name, { recall });
  return { tables: tablesOf(names, results), checks: [], raw: results };
}

/** Runs a task in a process of its own that ends with it. */
async function alone(task, input) {
  const child = new Child();
  try {
    return await child.call(module, task, input);
  } finally {
    child.stop();
  }
}

/** Four processes put memories into one store at once; a fifth looks for all that was acknowledged. */
function together(variant, puts) {
  return inFreshDirectory(async (directory) => {
    // Made before, so that nobody is in the way of who makes it.
    await alone('write', { directory, variant, label: 'first', puts: 1, callers: 1 });
    const children = Array.from({ length: processes }, () => new Child());
    let all;
    try {
      // Loaded before, so that they begin at once.
      await Promise.all(children.map((child) => child.call(module, 'probe', { variant })));
      all = await Promise.all(
        children.map((child, label) => {
          const input = { directory, variant, label, puts, callers: callersTogether };
          return child.call(module, 'write', input);
        }),
      );
    } finally {
      for (const child of children) child.stop();
    }
    const keys = all.flatMap(({ acknowledged }) => acknowledged);
    const refused = all.reduce((sum, each) => sum + each.refused, 0);
    const lost = await alone('missing', { directory, variant, keys });
    return { acknowledged: keys.length, refused, lost, why: all.find(({ why }) => why)?.why };
  });
}

/** Kills a writing process so many times; what was acknowledged must be there each time. */
async function killed(variant, kills) {
  let lost = 0;
  let acknowledged = 0;
  for (let number = 0; number < kills; number += 1) {
    await inFreshDirectory(async (directory) => {
      const keys = [];
      const child = fork(victim, [variant, directory, String(victimCallers)]);
      child.on('message', (key) => keys.push(key));
      const ended = Promise.all([once(child, 'exit'), once(child, 'disconnect')]);
      await Promise.race([once(child, 'message'), ended]);
      await sleep(100 + ((number * 37) % 200));
      child.kill('SIGKILL');
      await ended;
      if (keys.length === 0)
        throw new Error(`${variant} acknowledged nothing before it was killed`);
      acknowledged += keys.length;
      lost += await alone('missing', { directory, variant, keys });
    });
  }
  return { kills, acknowledged, lost };
}

function opened(variant, { agentEntries, rounds }) {
  return inFreshDirectory(async (directory) => {
    await alone('fill', { directory, variant, entries: agentEntries });
    const all = [];
    for (let round = 0; round < rounds; round += 1) {
      const key = `entry-${Math.floor(agentEntries / 2)}`;
      all.push(await alone('open', { directory, variant, key }));
    }
    return all;
  });
}

/** Whole questions, as they were asked, of sets that this project made up (recall/conversations.mjs, recall/pages.mjs). */
async function recalled() {
  const engines = {
    recollect: recollect(),
    'JSON file': substring,
    'better-sqlite3': await fullText(),
    minisearch: (await minisearch())?.defaults,
  };
  const found = [];
  for (const [kind, setOf] of Object.entries(kinds)) {
    const sets = seeds.map((seed) => setOf(seed));
    for (const [name, engine] of Object.entries(engines)) {
      if (engine) found.push([kind, name, evaluate(sets, engine).get('all')['recall@10']]);
    }
  }
  return found;
}

function tablesOf(names, results) {
  const one = (what, name) => results.all(what, name, 'acknowledged').length > 0;
  const figure = (what, name, member) => results.all(what, name, member)[0];
  const rate = (number) => (name) => {
    const own = results.median(`rate ${number}`, name, 'perSecond');
    const times = results.ratio(`rate ${number}`, name, 'recollect', 'perSecond');
    return Number.isFinite(own) ? `${count(own)} (${ratio(times)})` : '-';
  };
  const yes = (member) => (name) => {
    const [is] = results.all('explain', name, member);
    return is === undefined ? '-' : is ? 'yes' : 'no';
  };
  const rows = [
    [
      'lost of acknowledged, 4 processes',
      (name) =>
        one('together', name)
          ? `${count(figure('together', name, 'lost'))} of ${count(figure('together', name, 'acknowledged'))}`
          : '-',
    ],
    [
      'refused there',
      (name) =>
        one('together', name)
          ? [count(figure('together', name, 'refused')), figure('together', name, 'why')]
              .filter(Boolean)
              .join(' ')
          : '-',
    ],
    ...callers.map((number) => [
      `memories/s, ${number} ${number === 1 ? 'caller' : 'callers'} (x recollect)`,
      rate(number),
    ]),
    [
      'lost of acknowledged, kill -9',
      (name) =>
        one('killed', name)
          ? `${count(figure('killed', name, 'lost'))} of ${count(figure('killed', name, 'acknowledged'))}, ${figure('killed', name, 'kills')} kills`
          : '-',
    ],
    ['who, when and why', yes('told')],
    ['what stood there before', yes('before')],
    ...Object.keys(kinds).map((kind) => [
      `recall@10, ${kind}`,
      (name) => {
        const [recall] = results.all(kind, name, 'recall');
        return recall === undefined ? '-' : (100 * recall).toFixed(1);
      },
    ]),
    ['open and read one', (name) => milliseconds(results.median('open', name, 'elapsedMs'))],
    ['its CPU time', (name) => milliseconds(results.median('open', name, 'cpuMs'))],
  ];
  return [{ head: ['', ...names], rows: rows.map(([what, cell]) => [what, ...names.map(cell)]) }];
}
