/**
 * A process that appends to a store, or makes snapshots of it, until it is told to stop or dies. Says on its standard output, one line each and
 * before it goes on, what was acknowledged, and when a snapshot begins and is made.
 */
import { writeSync } from 'node:fs';
import { defineProjection, openStore } from '#src/index.js';

/**
 * @typedef {object} SnapshottingTask
 * @property {string} directory
 * @property {string} name
 * @property {'append' | 'snapshot'} work
 */

const on = {
  /** @param {{ n: number, sum: number }} draft @param {{ data: unknown }} event */
  added(draft, { data }) {
    draft.n += 1;
    draft.sum += /** @type {{ number: number }} */ (data).number;
  },
};

export const byStream = defineProjection({
  name: 'by-stream',
  version: 1,
  initial: { n: 0, sum: 0 },
  on,
});

export const byWriter = defineProjection({
  name: 'by-writer',
  version: 1,
  initial: { n: 0, sum: 0 },
  key: ({ data }) => /** @type {{ writer: string }} */ (data).writer,
  on,
});

export const options = { projections: [byStream, byWriter], segmentBytes: 16 * 1024 };

/** @param {SnapshottingTask} task */
async function work({ directory, name, work }) {
  let stopped = false;
  process.stdin.once('data', () => {
    stopped = true;
  });
  const store = await openStore(directory, options);
  /** @param {string} line */
  const say = (line) => writeSync(1, `${line}\n`);
  say('opened');
  for (let number = 1; !stopped; number += 1) {
    if (work === 'append') {
      const data = { writer: name, number };
      const stream = `${name}/${number % 17}`;
      const { position } = await store.append(stream, { type: 'added', data });
      say(`acknowledged ${number} ${position}`);
    } else {
      say(`began ${number}`);
      const { position } = await store.snapshot();
      say(`made ${position}`);
    }
  }
  await store.close();
  process.stdin.unref();
}

if (process.argv[2] !== undefined) await work(JSON.parse(process.argv[2]));
