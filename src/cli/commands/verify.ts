/** `recollect verify` */
import { shellWord } from '../../errors.js';
import type { Context } from '../context.js';
import { DIFFERS, FINE } from '../exit-codes.js';
import { shownBytes } from '../times.js';

interface VerifyOptions {
  readonly against?: string;
  readonly deep?: boolean;
}

export async function verify(
  context: Context,
  [directory = '']: readonly string[],
  { against, deep = false }: VerifyOptions,
): Promise<number> {
  const { verifyStore } = await import('../../log/maintenance.js');
  const report = await verifyStore(context.path(directory), {
    ...context.access,
    ...(against === undefined ? {} : { against }),
    deep,
    onProgress: ({ bytes, totalBytes }) =>
      context.progress.report({ phase: 'verify', done: bytes, total: totalBytes, unit: 'bytes' }),
  });
  context.progress.stop();
  const { out, paint } = context;
  const code = report.ok ? FINE : DIFFERS;
  if (context.json) {
    await out.json(report);
    return code;
  }
  const { damage, recovery, head } = report;
  await out.line(report.ok ? paint.good('sound') : paint.bad('not sound'));
  await out.line(
    `${report.commits} commits, ${report.events} events, ${report.streams} streams in ${report.segments} segments (${shownBytes(report.bytes)})`,
  );
  if (report.firstTime !== undefined) {
    await out.line(`from ${context.time(report.firstTime)} to ${context.time(report.lastTime)}`);
  }
  if (damage) {
    const { file, offset, position, problem } = damage;
    await out.line(paint.bad(`damage: ${file}, byte ${offset}, position ${position}: ${problem}`));
    await out.line(
      `save what can be read with: recollect salvage ${paint.name(shellWord(directory))} <target>`,
    );
  }
  if (recovery.state === 'torn') {
    await out.line(
      paint.warning(
        `behind the last whole group stand ${recovery.bytes ?? 0} bytes of what was not written to its end; the next writer takes them away`,
      ),
    );
  }
  if (report.against !== undefined) {
    const isFound = report.against === 'found';
    await out.line(
      isFound
        ? paint.good('the log contains the seal: nothing before it has changed')
        : paint.bad('the log does not contain the seal'),
    );
  }
  await out.line(`position ${head.position}  seal ${paint.name(head.seal)}`);
  return code;
}
