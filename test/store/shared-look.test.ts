import { describe, expect, test } from 'vitest';
import { SharedLook } from '#src/store/shared-look.js';

/** A log whose looks end when they are told to. */
class Looked {
  isFresh = false;
  begun = 0;
  readonly #ends: { resolve: () => void; reject: (error: Error) => void }[] = [];

  // biome-ignore lint/correctness/useYield: it is never run
  *freshen(): Generator<never, void, unknown> {
    return;
  }

  run<T>(): Promise<T> {
    this.begun += 1;
    return new Promise<T>((resolve, reject) => {
      this.#ends.push({ resolve: resolve as () => void, reject });
    });
  }

  end(error?: Error): void {
    const { resolve, reject } = this.#ends.shift() ?? {};
    if (error) reject?.(error);
    else resolve?.();
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('looking for commits together', () => {
  test('is not done when there is no need', () => {
    const log = new Looked();
    log.isFresh = true;
    expect(new SharedLook(log).freshen()).toBe(undefined);
    expect(log.begun).toBe(0);
  });

  test('serves all who ask while a look is under way with one more, never with that one', async () => {
    const log = new Looked();
    const shared = new SharedLook(log);
    const answered: string[] = [];
    const ask = async (name: string) => {
      await shared.freshen();
      answered.push(name);
    };
    const asked = [ask('first'), ask('second'), ask('third')];
    expect(log.begun).toBe(1);
    log.end();
    await turn();
    expect(answered).toEqual(['first']);
    expect(log.begun).toBe(2);
    asked.push(ask('fourth'));
    log.end();
    await turn();
    expect(answered).toEqual(['first', 'second', 'third']);
    log.end();
    await Promise.all(asked);
    expect(log.begun).toBe(3);
  });

  test('that fails fails for those who waited for it, and not for the next', async () => {
    const log = new Looked();
    const shared = new SharedLook(log);
    const first = shared.freshen();
    const second = shared.freshen();
    log.end(new Error('no'));
    await expect(first).rejects.toThrow('no');
    await turn();
    log.end();
    await second;
    expect(log.begun).toBe(2);
  });
});
