/** The commits that wait to be written, in the order of the calls. Taking the first one costs the same however many wait behind it. */
import type { Waiting } from './group.js';

/** So many taken ones are let go of together. */
const SPENT_MAX = 4096;

export class WaitingLine {
  #commits: Waiting[] = [];
  /** Those before this place have been taken. */
  #start = 0;

  get length(): number {
    return this.#commits.length - this.#start;
  }

  get first(): Waiting | undefined {
    return this.#commits[this.#start];
  }

  /** The first so many. */
  firstOf(count: number): Waiting[] {
    return this.#commits.slice(this.#start, this.#start + count);
  }

  push(waiting: Waiting): void {
    this.#commits.push(waiting);
  }

  /** Takes the first one away. */
  shift(): void {
    this.#start += 1;
    if (this.#start === this.#commits.length) {
      this.#commits = [];
      this.#start = 0;
    } else if (this.#start > SPENT_MAX && this.#start * 2 > this.#commits.length) {
      this.#commits = this.#commits.slice(this.#start);
      this.#start = 0;
    }
  }

  /** Puts commits that were taken back in front, in order. */
  putBack(commits: readonly Waiting[]): void {
    if (commits.length === 0) return;
    this.#commits = [...commits, ...this.#commits.slice(this.#start)];
    this.#start = 0;
  }

  /** False when it does not wait here. */
  remove(waiting: Waiting): boolean {
    const at = this.#commits.indexOf(waiting, this.#start);
    if (at < 0) return false;
    this.#commits.splice(at, 1);
    return true;
  }

  takeAll(): Waiting[] {
    const all = this.#commits.slice(this.#start);
    this.#commits = [];
    this.#start = 0;
    return all;
  }

  /** Takes those whose time is over; the others keep their order. */
  takeLate(now: number): Waiting[] {
    const all = this.#commits.slice(this.#start);
    const late = all.filter(({ deadline }) => deadline <= now);
    if (late.length > 0) {
      this.#commits = all.filter(({ deadline }) => deadline > now);
      this.#start = 0;
    }
    return late;
  }
}
