/** Functions and methods under locks. Decorators are compiled as TypeScript 5 compiles them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, expectTypeOf, test } from 'vitest';
import * as locks from '#src/locks/index.js';
import {
  fileLock,
  fileLocked,
  fileLockedSync,
  LockManager,
  readLock,
  readLocked,
  writeLock,
  writeLocked,
} from '#src/locks/index.js';
import type { siteOf } from '../support/decorated-site.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

async function failureOf(work: () => unknown): Promise<unknown> {
  try {
    await work();
  } catch (error) {
    return error;
  }
  return undefined;
}

const later = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1));

describe('a function under a lock', () => {
  test('has the parameters and the awaited result of the function', async () => {
    const manager = new LockManager({ directory: temporaryDirectory() });
    const add = (one: number, other: string): string => `${one}${other}`;
    const read = readLocked('a', add, { manager });
    const written = writeLocked(
      (one: number) => `a/${one}`,
      async (one: number) => one + 1,
      { manager },
    );
    const filed = fileLocked(['a', 'b'], add, { manager });
    const sync = fileLockedSync('a', add, { manager });
    expectTypeOf(read).parameters.toEqualTypeOf<[number, string]>();
    expectTypeOf(read).returns.toEqualTypeOf<Promise<string>>();
    expectTypeOf(written).returns.toEqualTypeOf<Promise<number>>();
    expectTypeOf(filed).returns.toEqualTypeOf<Promise<string>>();
    expectTypeOf(sync).returns.toEqualTypeOf<string>();
    expect(await read(1, 'x')).toBe('1x');
    expect(await written(1)).toBe(2);
    expect(await filed(1, 'x')).toBe('1x');
    expect(sync(1, 'x')).toBe('1x');
    expect(manager.stats().uses.map(({ resource, kind }) => `${resource} ${kind}`)).toEqual([
      'a exclusive',
      'a read',
      'a/1 write',
      'b exclusive',
    ]);
  });

  test('runs alone under a write lock, together with others under a read lock, and keeps its this', async () => {
    const manager = new LockManager();
    let inside = 0;
    let most = 0;
    async function work(this: { name: string }): Promise<string> {
      inside += 1;
      most = Math.max(most, inside);
      await later();
      inside -= 1;
      return this.name;
    }
    const self = {
      name: 'me',
      write: writeLocked('a', work, { manager }),
      read: readLocked('a', work, { manager }),
    };
    expect(await Promise.all([self.write(), self.write(), self.write()])).toEqual([
      'me',
      'me',
      'me',
    ]);
    expect(most).toBe(1);
    await Promise.all([self.read(), self.read(), self.read()]);
    expect(most).toBe(3);
  });

  test('gives back its lock when it throws, and is told of a lock that it takes twice', async () => {
    const manager = new LockManager({ directory: temporaryDirectory() });
    const problem = new Error('the work failed');
    const fails = (): never => {
      throw problem;
    };
    expect(await failureOf(() => writeLocked('a', fails, { manager })())).toBe(problem);
    expect(await failureOf(() => fileLocked('a', fails, { manager })())).toBe(problem);
    expect(await failureOf(() => fileLockedSync('a', fails, { manager })())).toBe(problem);
    const inner = writeLocked('a', () => 1, { manager });
    expect(await failureOf(() => writeLocked('a', () => inner(), { manager })())).toMatchObject({
      code: 'DEADLOCK',
    });
    expect(manager.status()).toEqual([]);
  });

  test('uses the manager of the process unless told otherwise', async () => {
    const before = locks.getLockManager().totals().kinds.read.acquisitions;
    await readLocked('a function', () => 1)();
    expect(locks.getLockManager().totals().kinds.read.acquisitions).toBe(before + 1);
  });

  test('that is none, or has no name, is refused where it is declared', () => {
    const wrong = (value: unknown) => value as never;
    for (const declare of [
      () => readLocked('', () => 1),
      () => writeLocked('a', wrong(7)),
      () => fileLocked([], () => 1),
      () => fileLockedSync('a', () => 1, wrong({ manger: 1 })),
      () => readLocked('a', () => 1, { manager: wrong({}) }),
    ]) {
      expect(declare).toThrow(TypeError);
    }
  });
});

/** The function of test/support/decorated-site.ts, as TypeScript compiles the decorators of the standard. */
function compiledSite(): typeof siteOf {
  const path = fileURLToPath(new URL('../support/decorated-site.ts', import.meta.url));
  const [, code = ''] =
    /(export function siteOf[\s\S]*?\n}\n)/.exec(readFileSync(path, 'utf8')) ?? [];
  const { outputText } = ts.transpileModule(code.replace('export', 'return'), {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
  });
  const make = new Function('readLock', 'writeLock', 'fileLock', outputText);
  return make(readLock, writeLock, fileLock) as typeof siteOf;
}

describe('a decorated method', () => {
  const make = () => {
    const manager = new LockManager({ directory: join(temporaryDirectory(), 'locks') });
    return { manager, site: compiledSite()(manager, later) };
  };

  test('runs under its lock, which its arguments and this may name', async () => {
    const { manager, site } = make();
    expect(await Promise.all([site.visit('/a'), site.visit('/a'), site.visit('/b')])).toEqual([
      '/a',
      '/a',
      '/b',
    ]);
    expect(site.seen.filter((entry) => entry.endsWith('a'))).toEqual(['>/a', '</a', '>/a', '</a']);
    expect(manager.stats().uses.map(({ resource }) => resource)).toEqual([
      'example/a',
      'example/b',
    ]);
    site.seen.length = 0;
    await Promise.all([site.look('1'), site.look('2')]);
    expect(site.seen.slice(0, 2)).toEqual(['>1', '>2']);
    expect(manager.stats().operations.at(-1)).toMatchObject({ kind: 'read', label: 'looking' });
  });

  test('under a file lock may be asynchronous or not', async () => {
    const { manager, site } = make();
    await Promise.all([site.save('x'), site.save('x')]);
    expect(site.seen).toEqual(['>x', '<x', '>x', '<x']);
    expect(site.saveNow('y')).toBe('y1');
    expect(() => site.saveNow('')).toThrow('no path');
    // A promise of a method that is not declared async keeps the lock until it is settled.
    expect(await site.promise('z')).toBe('z1');
    expect(manager.status()).toEqual([]);
  });
});

describe('a method under a file lock that gives a promise without being declared async', () => {
  const context = { name: 'method' } as never;

  test('keeps the lock until any kind of promise is settled', async () => {
    const manager = new LockManager({ directory: temporaryDirectory() });
    const settle: (() => void)[] = [];
    // A query of a database library, say: no Promise, but it can be awaited.
    const query = {
      // biome-ignore lint/suspicious/noThenProperty: this is what is tested
      then: (resolve: (value: number) => void) => void settle.push(() => resolve(7)),
    };
    const run = fileLock('a', { manager })(() => query as unknown as PromiseLike<number>, context);
    const running = run.call(undefined);
    expect(manager.totals().held).toBe(1);
    await later();
    expect(manager.totals().held).toBe(1);
    settle[0]?.();
    expect(await running).toBe(7);
    expect(manager.totals().held).toBe(0);
  });

  test('gives its lock back when what it gives cannot even be looked at', () => {
    const manager = new LockManager({ directory: temporaryDirectory() });
    const odd = Object.defineProperty({}, 'then', {
      get: () => {
        throw new Error('no then');
      },
    });
    const run = fileLock('a', { manager })(() => odd, context);
    expect(() => run.call(undefined)).toThrow('no then');
    expect(manager.totals().held).toBe(0);
  });

  test('is told at once of a lock that it takes again inside, or that is around it', async () => {
    const manager = new LockManager({ directory: temporaryDirectory() });
    const short = { timeoutMs: 50 };
    const again = fileLock('a', { manager })(
      () => later().then(() => manager.exclusive('a', short)),
      context,
    );
    expect(await failureOf(() => again.call(undefined))).toMatchObject({ code: 'DEADLOCK' });
    const inside = fileLock('a', { manager })(
      () => later().then(() => manager.write('b', short)),
      context,
    );
    const around = () => manager.withWrite('b', () => inside.call(undefined));
    expect(await failureOf(around)).toMatchObject({ code: 'DEADLOCK' });
    expect(manager.status()).toEqual([]);
  });

  test('takes part in finding circles', async () => {
    const manager = new LockManager({ directory: temporaryDirectory() });
    const short = { timeoutMs: 200 };
    const method = fileLock('a', { manager })(
      () => later().then(() => manager.withWrite('b', () => 'method', short)),
      context,
    );
    const other = manager.withWrite('b', async () => {
      return await manager.withExclusive('a', () => 'other', short);
    });
    const results = await Promise.allSettled([method.call(undefined), other]);
    const failed = results.filter(({ status }) => status === 'rejected');
    expect(failed).toMatchObject([{ reason: { code: 'DEADLOCK' } }]);
    expect(manager.status()).toEqual([]);
  });
});
