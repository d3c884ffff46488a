/** How far long work has come, on a terminal: a bar with rate and time left. Work of less than a second shows nothing. */
import { guarded } from './escape.js';
import type { OutputStream } from './io.js';
import { shownBytes, shownDuration } from './times.js';

export interface Reached {
  /** What is done, in a word or two. */
  readonly phase: string;
  readonly done: number;
  /** Left out or undefined: not known beforehand. */
  readonly total?: number | undefined;
  /** Left out: work that cannot be counted. */
  readonly unit?: 'bytes' | 'commits' | 'parts' | undefined;
}

const QUIET_MS = 1000;
const REDRAW_MS = 100;
const BAR_CELLS = 24;
const CLEAR_LINE = '\r\u001b[K';

export class ProgressBar {
  readonly #stream: OutputStream;
  readonly #isShown: boolean;
  readonly #now: () => number;
  readonly #began: number;
  #phase = '';
  #phaseBegan = 0;
  #drawn = 0;
  #isDrawn = false;
  #told = Number.NEGATIVE_INFINITY;
  #reached: Reached | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(stream: OutputStream, now: () => number = () => performance.now()) {
    this.#stream = stream;
    this.#isShown = stream.isTTY === true;
    this.#now = now;
    this.#began = now();
  }

  /** Called as often as there is something to tell. */
  readonly report = (reached: Reached): void => {
    this.#told = this.#now();
    this.#reached = reached;
    this.#draw(reached);
  };

  #draw(reached: Reached): void {
    if (!this.#isShown) return;
    const now = this.#now();
    if (reached.phase !== this.#phase) {
      this.#phase = reached.phase;
      this.#phaseBegan = now;
    }
    if (now - this.#began < QUIET_MS || now - this.#drawn < REDRAW_MS) return;
    this.#drawn = now;
    this.#isDrawn = true;
    const text = progressText(reached, now - this.#phaseBegan, this.#stream.columns ?? 80);
    this.#stream.write(`${CLEAR_LINE}${guarded(text, false)}`);
  }

  /** Asks now and then how far work has come, as long as it does not tell on its own. */
  watch(ask: () => Reached | undefined): void {
    if (!this.#isShown) return;
    clearInterval(this.#timer);
    this.#timer = setInterval(() => {
      if (this.#now() - this.#told < QUIET_MS) return;
      const asked = ask();
      // A step that takes long is no other work than the steps before it.
      const reached = asked?.unit === undefined ? (this.#reached ?? asked) : asked;
      if (reached) this.#draw(reached);
    }, REDRAW_MS);
    this.#timer.unref();
  }

  /** Takes the bar away, so that something else can be written. */
  clear(): void {
    if (!this.#isDrawn) return;
    this.#isDrawn = false;
    this.#stream.write(CLEAR_LINE);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.clear();
  }
}

/** One line: `verify  [######------]  52%  12.0 MiB/s  3 s left`. */
export function progressText(reached: Reached, elapsedMs: number, columns: number): string {
  const { phase, done, total, unit } = reached;
  if (unit === undefined) return `${phase}  ${shownDuration(elapsedMs)}`;
  const perSecond = elapsedMs > 0 ? (done / elapsedMs) * 1000 : 0;
  const rate = `${amount(perSecond, unit)}/s`;
  const parts: string[] = [phase];
  if (total === undefined || total <= 0) {
    parts.push(amount(done, unit), rate, shownDuration(elapsedMs));
  } else {
    const share = Math.min(1, done / total);
    const cells = Math.round(share * BAR_CELLS);
    parts.push(`[${'#'.repeat(cells)}${'-'.repeat(BAR_CELLS - cells)}]`);
    parts.push(`${Math.floor(share * 100)}%`, rate);
    if (perSecond > 0) parts.push(`${shownDuration(((total - done) / perSecond) * 1000)} left`);
  }
  return parts.join('  ').slice(0, Math.max(1, columns - 1));
}

function amount(count: number, unit: 'bytes' | 'commits' | 'parts'): string {
  if (unit === 'bytes') return shownBytes(Math.round(count));
  if (unit === 'parts' && count < 10) return `${count.toFixed(1)} ${unit}`;
  return `${Math.round(count)} ${unit}`;
}
