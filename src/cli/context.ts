/** What a command works with. */
import { resolve } from 'node:path';
import { guarded, jsonOf } from './escape.js';
import type { Io } from './io.js';
import { wantsColours } from './io.js';
import type { Output } from './output.js';
import { Paint } from './paint.js';
import { ProgressBar } from './progress.js';
import { shownTime } from './times.js';

/** Options that every command takes. */
export interface CommonOptions {
  readonly json?: boolean | undefined;
  readonly local?: boolean | undefined;
  readonly config?: string | false | undefined;
  readonly projection?: string | undefined;
  readonly allowSharedDirectory?: boolean | undefined;
  readonly allowFileSystem?: boolean | undefined;
  readonly lockTimeout?: number | undefined;
}

/** What a call of the library needs to be let into a directory. */
export interface AccessOptions {
  readonly lockTimeoutMs?: number;
  readonly allowSharedDirectory?: boolean;
  readonly allowFileSystem?: boolean;
}

export class Context {
  readonly io: Io;
  readonly options: CommonOptions;
  readonly out: Output;
  /** For standard output. */
  readonly paint: Paint;
  readonly progress: ProgressBar;
  /** Set when the store was found damaged: what was answered may not be all. */
  isDamaged = false;

  constructor(io: Io, out: Output, options: CommonOptions) {
    this.io = io;
    this.options = options;
    this.out = out;
    this.paint = new Paint(out.colours);
    this.progress = new ProgressBar(io.stderr);
    out.beforeWriting = () => this.progress.clear();
  }

  get json(): boolean {
    return this.options.json === true;
  }

  get signal(): AbortSignal {
    return this.io.signal;
  }

  /** An absolute path of one that was given. */
  path(given: string): string {
    return resolve(this.io.cwd, given);
  }

  time(time: string | undefined): string {
    return shownTime(time, this.options.local === true);
  }

  /** JSON on one line, cut to what is left of a terminal's line. */
  brief(value: unknown, used = 0): string {
    const text = jsonOf(value);
    const room = Math.max(20, this.out.columns - used);
    return text.length > room ? `${text.slice(0, room - 1).toWellFormed()}…` : text;
  }

  get access(): AccessOptions {
    const { lockTimeout, allowSharedDirectory, allowFileSystem } = this.options;
    return {
      ...(lockTimeout === undefined ? {} : { lockTimeoutMs: lockTimeout }),
      ...(allowSharedDirectory ? { allowSharedDirectory } : {}),
      ...(allowFileSystem ? { allowFileSystem } : {}),
    };
  }

  /** For long work: who is told how far it is, and what ends it. */
  get course(): { readonly onProgress: ProgressBar['report']; readonly signal: AbortSignal } {
    return { onProgress: this.progress.report, signal: this.signal };
  }

  /** Something beside the answer, on standard error. */
  note(text: string): void {
    this.progress.clear();
    this.io.stderr.write(`${guarded(text, wantsColours(this.io, this.io.stderr))}\n`);
  }
}
