import { closeSync, fdatasync, fdatasyncSync, openSync, write, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Group } from './group.mjs';

/** No store at all, just what durability costs: events as lines, written and synced. Everything else is measured against this. */
export const variants = {
  'bare group commit': openAsynchronous,
  'bare, synchronous': openSynchronous,
};

const encode = (event) => `${JSON.stringify(event)}\n`;

function openFile(directory) {
  return openSync(join(directory, 'lines.ndjson'), 'a', 0o600);
}

async function openAsynchronous(directory) {
  const file = openFile(directory);
  const group = new Group((lines, done) => {
    const bytes = Buffer.from(lines.join(''));
    write(file, bytes, 0, bytes.length, null, (error, written) => {
      if (error) throw error;
      if (written !== bytes.length) throw new Error('short write');
      fdatasync(file, (failure) => {
        if (failure) throw failure;
        done();
      });
    });
  });
  return { append: (event) => group.add(encode(event)), close: async () => closeSync(file) };
}

async function openSynchronous(directory) {
  const file = openFile(directory);
  const writeDurably = (text) => {
    const bytes = Buffer.from(text);
    if (writeSync(file, bytes) !== bytes.length) throw new Error('short write');
    fdatasyncSync(file);
  };
  const group = new Group((lines, done) => {
    writeDurably(lines.join(''));
    done();
  });
  return {
    append: (event) => group.add(encode(event)),
    appendSync: (event) => writeDurably(encode(event)),
    close: async () => closeSync(file),
  };
}
