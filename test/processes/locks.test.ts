/** File locks between real processes, some of which are killed or stopped. */
import { readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FileLock } from '#src/locks/index.js';
import { checkCounts, countWithKills, startCounting } from '../support/counting.js';
import { stopped, until } from '../support/programs.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

describe('eight processes under a file lock', () => {
  test('count right, under tokens that grow, while some are killed', async () => {
    await countWithKills(temporaryDirectory(), 1000, 6);
  });
});

describe('a holder that is stopped', () => {
  test('keeps the lock: others time out and name it, and the count is right when it goes on', async () => {
    const directory = temporaryDirectory();
    const [file, counts] = [join(directory, 'lock'), join(directory, 'counts')];
    writeFileSync(counts, '');
    const holder = startCounting({
      file,
      counts,
      until: 1,
      label: 'the stopped one',
      slowly: true,
    });
    await holder.line('held');
    holder.kill('SIGSTOP');
    await stopped(holder.pid);

    const late = [false, true].map((sync) =>
      startCounting({ file, counts, until: 21, timeoutMs: 150, sync }),
    );
    for (const { ended } of late) {
      const { code, output, errors } = await ended;
      expect({ code, errors }).toEqual({ code: 0, errors: '' });
      expect(JSON.parse(output.split('\n')[0] ?? '')).toEqual({
        code: 'LOCK_TIMEOUT',
        pid: holder.pid,
        label: 'the stopped one',
      });
    }
    const failure = await new FileLock(file)
      .shared({ timeoutMs: 20 })
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({
      pid: holder.pid,
      host: hostname(),
      since: expect.any(Date) as Date,
    });
    expect(readFileSync(counts, 'latin1')).toBe('');

    const patient = [false, true].map((sync) => startCounting({ file, counts, until: 21, sync }));
    holder.kill('SIGCONT');
    holder.tell('go on');
    for (const { ended } of [holder, ...patient]) {
      expect(await ended).toMatchObject({ code: 0, errors: '' });
    }
    checkCounts(counts, 21);
  });
});

/** What a lock protects, and how it takes part in that: it refuses whoever comes with a lower token than it has seen. */
class Resource {
  readonly written: string[] = [];
  #highest = 0;

  write(token: number, what: string): boolean {
    if (token < this.#highest) return false;
    this.#highest = token;
    this.written.push(what);
    return true;
  }
}

describe('a resource that looks at tokens', () => {
  test('refuses a write that was begun under the lock and is delivered after its release', async () => {
    const directory = temporaryDirectory();
    const [file, counts] = [join(directory, 'lock'), join(directory, 'counts')];
    const resource = new Resource();
    const first = startCounting({ file, counts, until: 0, late: true });
    const tokenOf = (line: string): number => Number(line.split(' ')[1]);
    const firstToken = tokenOf(await first.line('token'));
    expect(resource.write(firstToken, 'first, in time')).toBe(true);
    first.tell('release');
    await first.line('released');

    const second = startCounting({ file, counts, until: 0, late: true });
    const secondToken = tokenOf(await second.line('token'));
    expect(secondToken).toBe(firstToken + 1);
    expect(resource.write(secondToken, 'second')).toBe(true);

    // Only now comes what the first one sent while it held the lock.
    first.tell('deliver');
    expect(resource.write(tokenOf(await first.line('write')), 'first, late')).toBe(false);
    expect(resource.write(secondToken, 'second again')).toBe(true);
    expect(resource.written).toEqual(['first, in time', 'second', 'second again']);
  });
});

const descriptorsOf = (pid: number): string[] =>
  readdirSync(`/proc/${pid}/fd`).map((name) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${name}`);
    } catch {
      // Closed meanwhile.
      return '';
    }
  });

describe('a lock file that somebody deletes while it is waited for', () => {
  test('is let go of by who waited: the lock is taken on the file that stands there then', async () => {
    const file = join(temporaryDirectory(), 'lock');
    const old = await new FileLock(file).exclusive();
    const waiting = startCounting({ file, counts: `${file}.counts`, until: 0, slowly: true });
    await until(() => descriptorsOf(waiting.pid).includes(file));
    rmSync(file);
    old.release();
    await waiting.line('held');
    // It would hold a deleted file otherwise, and whoever comes now would make a new one and hold that.
    const failure = await new FileLock(file)
      .exclusive({ timeoutMs: 0 })
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'LOCK_TIMEOUT', pid: waiting.pid });
    waiting.tell('go on');
    expect(await waiting.ended).toMatchObject({ code: 0, errors: '' });
  });
});
