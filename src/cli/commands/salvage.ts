/** `recollect salvage` */
import type { Context } from '../context.js';
import { DIFFERS, FINE } from '../exit-codes.js';

export async function salvage(
  context: Context,
  [source = '', target = '']: readonly string[],
): Promise<number> {
  const { salvageStore } = await import('../../log/maintenance.js');
  const report = await salvageStore(context.path(source), context.path(target), {
    ...context.course,
  });
  context.progress.stop();
  const { out, paint } = context;
  const code = report.lost.length > 0 ? DIFFERS : FINE;
  if (context.json) {
    await out.json(report);
    return code;
  }
  const { directory, commits, events, unsealed, lost, renumbered } = report;
  await out.line(`${paint.name(directory)} holds ${commits} commits, ${events} events`);
  if (unsealed > 0)
    await out.line(paint.warning(`${unsealed} commits that no seal proves are kept`));
  if (renumbered) await out.line(paint.warning('positions or versions are others than they were'));
  for (const { file, offset, bytes, positions, problem } of lost) {
    const which = positions ? `, positions ${positions[0]} to ${positions[1]}` : '';
    await out.line(paint.bad(`lost: ${file}, byte ${offset}, ${bytes} bytes${which}: ${problem}`));
  }
  return code;
}
