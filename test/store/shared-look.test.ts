import { describe, expect, test } from 'vitest';
import { SharedLook } from '#src/store/shared-look.js';

/** A log whose looks end when they are told to. */
class Looked {
  isFresh = false;
  /** Somebody else has committed. */
  isBehind = true;
  /** Small reads that only see whether somebody has. */
  glances = 0;
  begun = 0;
  readonly #ends: { resolve: () => void; reject: (error: Error) => void }[] = [];

  looksFresh(): boolean {
    this.glances += 1;
    return !this.isBehind;
  }

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

  test('is one glance for all who ask in one turn, made after they asked, and ends there when nothing is new', async () => {
    const log = new Looked();
    log.isBehind = false;
    const shared = new SharedLook(log);
    const asked = [shared.freshen(), shared.freshen(), shared.freshen()];
    expect(log.glances).toBe(0);
    await Promise.all(asked);
    expect([log.glances, log.begun]).toEqual([1, 0]);
    await shared.freshen();
    expect([log.glances, log.begun]).toEqual([2, 0]);
  });

  test('goes on for those of one turn together when something is new', async () => {
    const log = new Looked();
    const shared = new SharedLook(log);
    const asked = [shared.freshen(), shared.freshen()];
    await turn();
    expect([log.glances, log.begun]).toEqual([1, 1]);
    log.end();
    await Promise.all(asked);
  });

  test('serves all who ask while a look is under way with one more, never with that one', async () => {
    const log = new Looked();
    const shared = new SharedLook(log);
    const answered: string[] = [];
    const ask = async (name: string) => {
      await shared.freshen();
      answered.push(name);
    };
    const asked = [ask('first')];
    await turn();
    expect(log.begun).toBe(1);
    asked.push(ask('second'));
    await turn();
    asked.push(ask('third'));
    await turn();
    expect(log.begun).toBe(1);
    log.end();
    await turn();
    expect(answered).toEqual(['first']);
    expect(log.begun).toBe(2);
    asked.push(ask('fourth'));
    await turn();
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
    await turn();
    const second = shared.freshen();
    await turn();
    log.end(new Error('no'));
    await expect(first).rejects.toThrow('no');
    await turn();
    log.end();
    await second;
    expect(log.begun).toBe(2);
  });
});
