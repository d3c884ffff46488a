import { textOf } from './comparing.mjs';
import { memories } from './peers/memories.mjs';

/** Puts memories until it is killed, and tells its parent of each that was acknowledged. */
const [variant, directory, callers] = process.argv.slice(2);
const memory = await memories[variant](directory);
let number = 0;

async function caller() {
  for (;;) {
    number += 1;
    const key = `victim-${number}`;
    await memory.put(key, textOf(number));
    process.send(key);
  }
}

process.on('disconnect', () => process.exit());
await Promise.all(Array.from({ length: Number(callers) }, caller));
