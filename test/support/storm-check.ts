/** Compares what the writers of a storm were told with what stands in the log. Pure, so that a test shows what it finds. */
import { isDeepStrictEqual } from 'node:util';
import type { RecordedEvent } from '#src/log/types.js';
import { EventOrder } from './event-order.mjs';
import { stormCommit } from './storm-plan.mjs';
import type { WritingReport } from './writing-process.mjs';

/** One thing that one writer said. */
export interface Heard {
  readonly writer: string;
  readonly report: WritingReport;
}

interface Standing {
  readonly position: number;
  readonly time: string;
  readonly events: readonly RecordedEvent[];
}

interface Note {
  readonly writer: string;
  readonly number: number;
}

/** Every difference between the log, read from its beginning, and what its writers were told. */
export function stormProblems(heard: readonly Heard[], events: readonly RecordedEvent[]): string[] {
  const problems: string[] = [];
  const order = new EventOrder();
  const standing = new Map<string, Standing[]>();
  let open: RecordedEvent[] = [];
  let droppedTo = 0;
  for (const event of events) {
    problems.push(...order.problemsWith(event));
    if (event.type === '$retention.dropped') {
      droppedTo = (event.data as { lastPosition: number }).lastPosition;
    }
    // What the store notes of itself.
    if (event.stream.startsWith('$')) continue;
    open.push(event);
    if (!event.last) continue;
    const { writer, number } = event.data as Note;
    const name = `${writer}/${number}`;
    const earlier = standing.get(name) ?? [];
    const last = earlier.at(-1)?.position ?? 0;
    // Keys of what was dropped are forgotten: what is sent again then is written again.
    if (last > droppedTo || (last > 0 && event.idempotencyKey === undefined)) {
      problems.push(`${name} stands twice, at ${last} and ${event.position}`);
    }
    standing.set(name, [...earlier, { position: event.position, time: event.time, events: open }]);
    problems.push(...contentProblems(writer, number, open));
    open = [];
  }
  if (open.length > 0) problems.push('the last commit has no end');
  for (const { writer, report } of heard) {
    problems.push(...answerProblems(writer, report, standing));
  }
  return problems;
}

function contentProblems(
  writer: string,
  number: number,
  events: readonly RecordedEvent[],
): string[] {
  const { parts, idempotencyKey } = stormCommit(writer, number);
  const planned = parts.flatMap(({ stream, events: planned }) =>
    [planned].flat().map(({ type, data }) => ({ stream, type, data, idempotencyKey })),
  );
  const found = events.map(({ stream, type, data, idempotencyKey }) => ({
    stream,
    type,
    data,
    idempotencyKey,
  }));
  return isDeepStrictEqual(found, planned) ? [] : [`${writer}/${number} is not what was appended`];
}

function answerProblems(
  writer: string,
  report: WritingReport,
  standing: ReadonlyMap<string, readonly Standing[]>,
): string[] {
  if (report.kind === 'opened' || report.kind === 'ended') return [];
  const name = `${writer}/${report.number}`;
  const commits = standing.get(name) ?? [];
  const told = 'position' in report ? report.position : 0;
  const commit = commits.find((each) => each.position === told) ?? commits[0];
  // What has a key may have been sent again, with another answer.
  const once = stormCommit(writer, report.number).idempotencyKey === undefined;
  if (report.kind === 'refused' || report.kind === 'failed') {
    const surely = report.kind === 'refused' || report.code !== 'OUTCOME_UNKNOWN';
    const stands = commit !== undefined && once && surely;
    return stands ? [`${name} was not written and stands at ${commit.position}`] : [];
  }
  const { position, time, versions, after, expected, repeated } = report;
  if (!commit) return [`${name} was acknowledged at ${position} and is lost`];
  const problems: string[] = [];
  if (commit.position !== position || commit.time !== time) {
    problems.push(`${name} was acknowledged at ${position} and stands at ${commit.position}`);
  }
  const stand: Record<string, number> = {};
  for (const event of commit.events) stand[event.stream] = event.version;
  if (!isDeepStrictEqual(versions, stand))
    problems.push(`${name} has other versions than it was told`);
  if (!repeated && position <= after) {
    problems.push(`${name} stands at ${position}, before what its writer knew, ${after}`);
  }
  if (expected !== undefined && versions['counters/all'] !== expected + 1) {
    problems.push(`${name} was accepted on another version than it expected`);
  }
  return problems;
}
