/** `recollect doctor` */
import type { Diagnosis, LockHolder } from '../../log/diagnose.js';
import type { Context } from '../context.js';
import { DIFFERS, FINE } from '../exit-codes.js';
import { tableLines } from '../table.js';
import { shownBytes } from '../times.js';
import { packageVersion } from '../version.js';

export async function doctor(
  context: Context,
  [directory = '']: readonly string[],
): Promise<number> {
  const { diagnoseStore } = await import('../../log/diagnose.js');
  const diagnosis = await diagnoseStore(context.path(directory), context.access);
  const { out, paint } = context;
  const code = diagnosis.ok ? FINE : DIFFERS;
  if (context.json) {
    const { versions, ...rest } = diagnosis;
    await out.json({ ...rest, versions: { recollect: packageVersion(), ...versions } });
    return code;
  }
  const rows = rowsOf(context, diagnosis).map(([what, fact]) => [paint.faint(what), fact]);
  for (const line of tableLines(rows)) await out.line(line);
  for (const { severity, problem, advice } of diagnosis.findings) {
    const text = `${severity}: ${problem.replace(/\.$/, '')}. ${advice}`;
    await out.line(severity === 'error' ? paint.bad(text) : paint.warning(text));
  }
  if (diagnosis.findings.length === 0) await out.line(paint.good('nothing is wrong'));
  return code;
}

function rowsOf(context: Context, diagnosis: Diagnosis): [what: string, fact: string][] {
  const { paint } = context;
  const { versions, place, sync, store, recovery, head } = diagnosis;
  const untried = diagnosis.untried === undefined ? '' : `: ${diagnosis.untried}`;
  const rows: [string, string][] = [
    ['store', paint.name(store ? `${store.id}, made ${context.time(store.created)}` : 'unknown')],
    ['head', head ? `position ${head.position}, ${context.time(head.time)}` : 'unknown'],
    ['recovery', recovery?.state ?? 'cannot be opened'],
    ['durability', store?.durability ?? 'unknown'],
    ['file system', `${place.fileSystem}${place.trusted ? '' : ', not trusted'}`],
    ['free space', `${shownBytes(place.freeBytes)} of ${shownBytes(place.totalBytes)}`],
    ['mode', place.mode],
    ['locks', `${diagnosis.locks}${untried}`],
    [
      'sync',
      sync
        ? `${sync.medianMs.toFixed(2)} ms, the slowest ${sync.slowestMs.toFixed(2)} ms`
        : `untried${untried}`,
    ],
    ['lock for writing', diagnosis.lock.held ? 'held' : 'free'],
    ['last held by', paint.name(holderText(context, diagnosis.lock.holder))],
    [
      'versions',
      `recollect ${packageVersion()}, format ${versions.format}, node ${versions.node}, ${versions.platform}`,
    ],
  ];
  return rows;
}

function holderText(context: Context, holder: LockHolder | undefined): string {
  if (!holder) return 'nobody';
  const { pid, host, since, label, isRunning } = holder;
  const who = label === undefined ? '' : ` (${label})`;
  const running =
    isRunning === undefined ? '' : isRunning ? ', which is running' : ', which has ended';
  return `process ${pid} on ${host}${who}, begun ${context.time(since)}${running}`;
}
