/**
 * Locks on ranges of bytes between owners inside one thread, with the rules of Linux's OFD locks: ranges of different
 * owners exclude each other unless both are shared; an owner that locks what it holds changes the kind; unlocking a
 * part leaves the rest locked. For disks without an operating system behind them.
 */

interface HeldRange<Owner> {
  readonly owner: Owner;
  readonly start: number;
  readonly end: number;
  readonly exclusive: boolean;
}

export class RangeLocks<Owner> {
  #held: HeldRange<Owner>[] = [];

  /** True if the range is now locked for the owner, false if another owner is in the way. */
  tryLock(owner: Owner, offset: number, length: number, exclusive: boolean): boolean {
    const end = offset + length;
    const refused = this.#held.some(
      (held) =>
        held.owner !== owner &&
        held.start < end &&
        held.end > offset &&
        (exclusive || held.exclusive),
    );
    if (refused) return false;
    this.unlock(owner, offset, length);
    this.#held.push({ owner, start: offset, end, exclusive });
    return true;
  }

  unlock(owner: Owner, offset: number, length: number): void {
    const end = offset + length;
    this.#held = this.#held.flatMap((held) => {
      if (held.owner !== owner || held.start >= end || held.end <= offset) return [held];
      const rest: HeldRange<Owner>[] = [];
      if (held.start < offset) rest.push({ ...held, end: offset });
      if (held.end > end) rest.push({ ...held, start: end });
      return rest;
    });
  }

  /** The owner is gone, and all that it held. */
  release(owner: Owner): void {
    this.#held = this.#held.filter((held) => held.owner !== owner);
  }
}
