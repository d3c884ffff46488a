/** `recollect diff` */
import type { KeyDifference, Projection } from '../../store.js';
import { changeLines } from '../changes.js';
import type { Context } from '../context.js';
import { DIFFERS, FINE, WrongUse } from '../exit-codes.js';
import { chooseAll, chooseFor, reading } from '../opening.js';
import { momentOf } from '../times.js';

interface DiffOptions {
  readonly all?: boolean;
  readonly from?: string;
  readonly to?: string;
  readonly projection?: string;
}

export async function diff(
  context: Context,
  [directory = '', key]: readonly string[],
  options: DiffOptions,
): Promise<number> {
  if ((key === undefined) === (options.all !== true)) {
    throw new WrongUse('say which key, or --all for all of them');
  }
  const { projections, folding } = await chosen(context, directory, key, options);
  const keys = key === undefined ? { prefix: '' } : key.endsWith('/') ? { prefix: key } : key;
  return await reading(context, directory, { ...folding, projections }, async (store) => {
    const to = options.to === undefined ? store.head.position : momentOf(options.to);
    // Commander has made sure that it was given.
    const from = momentOf(options.from ?? '0');
    let code = FINE;
    for (const projection of projections) {
      for await (const difference of store.diff(projection, keys, from, to)) {
        code = DIFFERS;
        await print(context, projection, difference);
      }
    }
    return code;
  });
}

async function chosen(
  context: Context,
  directory: string,
  key: string | undefined,
  { projection: named }: DiffOptions,
) {
  if (key === undefined && named === undefined) {
    const { projections, options } = await chooseAll(context, directory);
    return { projections, folding: options };
  }
  const { projection, options } = await chooseFor(context, directory, { key, projection: named });
  return { projections: [projection], folding: options };
}

async function print(
  context: Context,
  { name }: Projection,
  difference: KeyDifference,
): Promise<void> {
  const { out, paint } = context;
  if (context.json) {
    await out.ndjson({ projection: name, ...difference });
    return;
  }
  await out.line(paint.name(difference.key));
  for (const line of changeLines(context, difference.before, difference.patches)) {
    await out.line(`    ${line}`);
  }
}
