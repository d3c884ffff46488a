/**
 * Looks through the segments of a damaged log for every commit that can still be read: where it stands, what stands between, and
 * which positions are gone. Changes nothing.
 *
 * Commits are told apart by their own positions, whatever file or order they stand in; of two with one position the first is kept.
 */
import { isUtf8 } from 'node:buffer';
import { createHash, type Hash } from 'node:crypto';
import { checkForm, checksumHolds, decodeSeal, groupOfTag, lineKind } from './decode.js';
import { closingLine, headerLine } from './encode.js';
import { Envelope, LineProblem } from './envelope.js';
import { LF } from './format.js';
import type { Io } from './io.js';
import { PositionSet } from './position-set.js';
import { linesWithin, type SalvageLines, type Stretch } from './salvage-lines.js';

/** A part of the source that is not in the target. */
export interface LostPart {
  readonly file: string;
  readonly offset: number;
  /** 0 where something is missing without a trace. */
  readonly bytes: number;
  /** The first and the last of the positions whose commits are gone with it; left out when none is. */
  readonly positions?: readonly [from: number, to: number];
  readonly problem: string;
}

/** Lines that stand side by side and whose positions follow one another. */
export interface Run {
  readonly segment: number;
  readonly start: number;
  end: number;
  readonly first: number;
  last: number;
  /** A single line whose last byte should be an LF and is not. */
  readonly badLineEnd: boolean;
}

interface Loss {
  readonly file: string;
  readonly offset: number;
  bytes: number;
  readonly problem: string;
  /** Positions that may be gone with it; none while `to < from`. */
  readonly from: number;
  to: number;
}

/** Commits of one tag that stand side by side, until their seal. */
interface OpenGroup {
  readonly tag: string;
  readonly start: number;
  /** Absent when the beginning of the group or the seal before it is not known. */
  readonly hash: Hash | undefined;
  commits: number;
  last: number;
  end: number;
}

const NO_LINE_END = 'a line without its end';

export class SalvageScan {
  readonly runs: Run[] = [];
  readonly kept: PositionSet = new PositionSet();
  commits = 0;
  /** Commits kept that no seal proves. */
  unsealed = 0;
  readonly #storeId: string | undefined;
  readonly #envelope = new Envelope();
  readonly #losses: Loss[] = [];
  #segment = 0;
  #file = '';
  /** The position that comes next if none is missing. */
  #next = 1;
  /** The seal that the next group is chained to, as far as it is known. */
  #seal: string | undefined;
  #closed = true;
  #foreign = false;
  #group: OpenGroup | undefined;
  /** What was lost right before the place that is looked at. */
  #loss: Loss | undefined;
  /** What takes the positions that turn out to be missing when the next good line is found. */
  #unresolved: Loss | undefined;
  /** Behind what was looked through of the segment. */
  #end = 0;

  /** What can be known beforehand: the store's id, the seal that its first group is chained to, and that group's first position. */
  constructor(storeId: string | undefined, firstSeal: string | undefined, first = 1) {
    this.#next = first;
    this.#storeId = storeId;
    this.#seal = firstSeal;
  }

  /** Looks through a segment. Segments come in the order of their names; `missing` is the file that should have come. */
  *segment(first: number, file: string, missing: string, lines: SalvageLines): Io<void> {
    this.#begin(first, file, missing);
    for (;;) {
      const next = yield* lines.next();
      if (!next) return;
      const { stretch, broken, skipped } = next;
      if (skipped > 0) this.#lose(stretch.offset - skipped, skipped, NO_LINE_END);
      if (broken) this.#broken(stretch, NO_LINE_END, lines);
      else this.#wholeLines(stretch, lines);
      this.#end = stretch.offset + stretch.end - stretch.start;
    }
  }

  /** A segment that cannot be read at all. */
  unreadable(first: number, file: string, missing: string, bytes: number, problem: string): void {
    this.#begin(first, file, missing);
    this.#lose(0, bytes, problem);
  }

  /** Ends the search. The log is known to have been durable up to a position; gives what is lost. */
  finish(durable: number): LostPart[] {
    this.#endGroup();
    this.#reach(durable + 1, this.#end, `the log ends here, but position ${durable} was durable`);
    return this.#losses.flatMap((loss) => this.#told(loss));
  }

  /** The position that the next segment should begin with. */
  get next(): number {
    return this.#next;
  }

  #told(loss: Loss): LostPart[] {
    const { file, offset, bytes, problem } = loss;
    const gaps = this.kept.missing(loss.from, loss.to);
    if (gaps.length === 0) return bytes === 0 ? [] : [{ file, offset, bytes, problem }];
    return gaps.map(({ from, to }, index) => {
      return { file, offset, bytes: index === 0 ? bytes : 0, positions: [from, to], problem };
    });
  }

  #begin(first: number, file: string, missing: string): void {
    this.#endGroup();
    this.#loss = undefined;
    if (!this.#unresolved && first > this.#next) {
      this.#unresolved = this.#closed
        ? this.#noteLoss(missing, 0, 0, 'the segment is missing')
        : this.#noteLoss(this.#file, this.#end, 0, 'the file ends before its closing line');
    }
    this.#segment = first;
    this.#file = file;
    this.#end = 0;
    this.#closed = false;
    this.#foreign = false;
  }

  #noteLoss(file: string, offset: number, bytes: number, problem: string): Loss {
    const loss: Loss = { file, offset, bytes, problem, from: this.#next, to: this.#next - 1 };
    this.#losses.push(loss);
    return loss;
  }

  #lose(offset: number, bytes: number, problem: string): void {
    if (bytes === 0) return;
    if (this.#loss && this.#loss.offset + this.#loss.bytes === offset) {
      this.#loss.bytes += bytes;
      return;
    }
    this.#loss = this.#noteLoss(this.#file, offset, bytes, problem);
    this.#unresolved ??= this.#loss;
  }

  /** A good line: the positions before `position` stand before it or are gone. */
  #reach(position: number, offset: number, problem = 'lines are missing'): void {
    if (position > this.#next) {
      const loss = this.#unresolved ?? this.#noteLoss(this.#file, offset, 0, problem);
      loss.to = position - 1;
      this.#next = position;
    }
    this.#unresolved = undefined;
    this.#loss = undefined;
  }

  #wholeLines(stretch: Stretch, lines: SalvageLines): void {
    const { buffer, start, end, offset } = stretch;
    const isText = isUtf8(buffer.subarray(start, end));
    for (let at = start; at < end; ) {
      const next = buffer.indexOf(LF, at) + 1;
      const line = { buffer, start: at, end: next, offset: offset + at - start };
      const problem =
        isText || isUtf8(buffer.subarray(at, next))
          ? this.#line(line, true)
          : 'bytes that are not UTF-8';
      if (problem !== undefined) this.#broken(line, problem, lines);
      at = next;
    }
  }

  /** Keeps what lines there are in a stretch that is none. */
  #broken(stretch: Stretch, problem: string, lines: SalvageLines): void {
    const { start, end, offset } = stretch;
    let lostFrom = offset;
    const lose = (to: number) => {
      const unreadable = lines.isUnreadable(lostFrom, to);
      this.#lose(lostFrom, to - lostFrom, unreadable ? 'the disk cannot read it' : problem);
    };
    for (const line of linesWithin(stretch)) {
      // The whole stretch was looked at before.
      if (line.start === start && line.end === end && line.lineEnd) continue;
      if (!isUtf8(line.buffer.subarray(line.start, line.end))) continue;
      lose(line.offset);
      lostFrom = line.offset + line.end - line.start;
      const inner = this.#line(line, line.lineEnd);
      if (inner !== undefined) this.#lose(line.offset, lostFrom - line.offset, inner);
      else if (!line.lineEnd) {
        this.#noteLoss(this.#file, lostFrom - 1, 1, 'a damaged byte where a line ends');
      }
    }
    lose(offset + end - start);
  }

  /** Takes a line over; gives what is wrong with it if it cannot be. */
  #line(line: Stretch, lineEnd: boolean): string | undefined {
    const { buffer, start, end } = line;
    if (this.#foreign) return 'a segment of another store';
    if (!checksumHolds(buffer, start, end)) return 'a wrong checksum';
    try {
      switch (lineKind(buffer, start)) {
        case 'commit':
          return this.#commit(line, lineEnd);
        case 'seal':
          this.#sealLine(line, lineEnd);
          return undefined;
        case 'close':
          this.#closing(line);
          return undefined;
        case 'segment':
          return this.#header(line);
        default:
          return 'a line of no known kind';
      }
    } catch (error) {
      if (error instanceof LineProblem) return error.message;
      throw error;
    }
  }

  #commit(line: Stretch, lineEnd: boolean): string | undefined {
    const { buffer, start, end, offset } = line;
    this.#envelope.scan(buffer, start, end);
    this.#envelope.checkPayload(buffer, end);
    checkForm(buffer, start, end);
    const { position, tag } = this.#envelope;
    if (this.kept.has(position)) {
      this.#endGroup();
      return `position ${position} stands here again; the first was kept`;
    }
    this.#reach(position, offset);
    this.#next = Math.max(this.#next, position + 1);
    this.kept.add(position);
    this.commits += 1;
    this.#extendRun(line, position, lineEnd);
    this.#extendGroup(line, position, tag);
    return undefined;
  }

  #extendRun({ start, end, offset }: Stretch, position: number, lineEnd: boolean): void {
    const lineEndAt = offset + end - start;
    const run = this.runs.at(-1);
    const goesOn =
      run?.segment === this.#segment &&
      run.end === offset &&
      run.last === position - 1 &&
      lineEnd &&
      !run.badLineEnd;
    if (goesOn) {
      run.end = lineEndAt;
      run.last = position;
      return;
    }
    this.runs.push({
      segment: this.#segment,
      start: offset,
      end: lineEndAt,
      first: position,
      last: position,
      badLineEnd: !lineEnd,
    });
  }

  #extendGroup({ buffer, start, end, offset }: Stretch, position: number, tag: string): void {
    let group = this.#group;
    if (group?.tag !== tag || group.end !== offset || group.last !== position - 1) {
      this.#endGroup();
      const provable = this.#seal !== undefined && groupOfTag(tag) === position;
      const hash = provable ? createHash('sha256').update(this.#seal as string) : undefined;
      group = { tag, start: offset, hash, commits: 0, last: position, end: offset };
      this.#group = group;
    }
    group.hash?.update(buffer.subarray(start, end));
    group.commits += 1;
    group.last = position;
    group.end = offset + end - start;
  }

  /** The group that is open ends without a seal that proves it. */
  #endGroup(): void {
    this.unsealed += this.#group?.commits ?? 0;
    this.#group = undefined;
  }

  #sealLine({ buffer, start, end, offset }: Stretch, lineEnd: boolean): void {
    const facts = decodeSeal(buffer, start, end);
    const group = this.#group;
    const proven =
      group?.hash !== undefined &&
      group.end === offset &&
      group.tag === facts.g &&
      group.commits === facts.n &&
      group.last === facts.p &&
      offset - group.start === facts.b &&
      group.hash.update(facts.salt).digest('hex') === facts.seal;
    if (proven) this.#group = undefined;
    else this.#endGroup();
    this.#seal = facts.seal;
    this.#reach(facts.p + 1, offset);
    const run = this.runs.at(-1);
    const goesOn = run?.segment === this.#segment && run.end === offset && !run.badLineEnd;
    if (goesOn && lineEnd) run.end = offset + end - start;
  }

  #closing({ buffer, start, end, offset }: Stretch): void {
    const text = buffer.toString('latin1', start, end);
    const { close, seal } = JSON.parse(text) as { close: number; seal: string };
    if (!closingLine(close, seal).equals(buffer.subarray(start, end))) {
      throw new LineProblem('a closing line that is not what the format says');
    }
    this.#endGroup();
    this.#closed = true;
    this.#seal = seal;
    this.#reach(close + 1, offset);
  }

  #header({ buffer, start, end, offset }: Stretch): string | undefined {
    const text = buffer.toString('latin1', start, end);
    const { segment, store, seal } = JSON.parse(text) as {
      segment: number;
      store: string;
      seal: string;
    };
    if (!headerLine(segment, store, seal).equals(buffer.subarray(start, end))) {
      return 'a segment header that is not what the format says';
    }
    if (this.#storeId !== undefined && store !== this.#storeId) {
      this.#foreign = true;
      return 'a segment of another store';
    }
    this.#endGroup();
    // A header that goes on where the segment before ended says nothing new; behind a gap it alone tells the seal.
    if (this.#seal === undefined || segment !== this.#next) this.#seal = seal;
    this.#reach(segment, offset);
    return undefined;
  }
}
