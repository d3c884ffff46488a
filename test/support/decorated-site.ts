/** A class with every decorator. The type checker reads this file; the test compiles it as TypeScript 5 does, and runs it. */
import { fileLock, type LockManager, readLock, writeLock } from '#src/locks/index.js';

export interface Site {
  readonly seen: string[];
  visit(path: string, times?: number): Promise<string>;
  look(path: string): Promise<string>;
  save(path: string): Promise<string>;
  saveNow(path: string): string;
  promise(path: string): Promise<string>;
}

export function siteOf(manager: LockManager, later: () => Promise<void>): Site {
  class DecoratedSite implements Site {
    readonly seen: string[] = [];
    readonly host = 'example';

    @writeLock(
      function (this: { host: string }, path: string) {
        return this.host + path;
      },
      { manager },
    )
    async visit(path: string, times = 1): Promise<string> {
      return await this.walk(path, times);
    }

    @readLock('site', { manager, label: 'looking' })
    async look(path: string): Promise<string> {
      return await this.walk(path, 1);
    }

    @fileLock((path: string) => [path, 'all'], { manager })
    async save(path: string): Promise<string> {
      return await this.walk(path, 1);
    }

    @fileLock('now', { manager })
    saveNow(path: string): string {
      if (path === '') throw new Error('no path');
      return path + manager.status().length;
    }

    @fileLock('promise', { manager })
    promise(path: string): Promise<string> {
      return later().then(() => path + manager.status().length);
    }

    private async walk(path: string, times: number): Promise<string> {
      for (let turn = 0; turn < times; turn += 1) {
        this.seen.push(`>${path}`);
        await later();
        this.seen.push(`<${path}`);
      }
      return path;
    }
  }
  return new DecoratedSite();
}

/** What the type checker must refuse. */
export class Refused {
  // @ts-expect-error: only asynchronous methods wait for a lock within the thread
  @writeLock('a')
  synchronous(): number {
    return 1;
  }

  // @ts-expect-error: the name is made from another kind of parameter
  @readLock((path: string) => path)
  async misnamed(path: number): Promise<number> {
    return path;
  }

  // @ts-expect-error: the name looks at a parameter that there is not
  @fileLock((path: string) => path)
  bare(): void {}
}
