/** How far an import came: written beside the store that it makes, so that one that was killed is gone on with (docs/FORMAT.md). */
import { join } from 'node:path';
import { systemCode } from '../errors.js';
import { checksumHolds } from '../log/decode.js';
import { finishedLine } from '../log/encode.js';
import { ask, type Io } from '../log/io.js';
import type { BuilderPoint } from '../log/log-builder.js';
import { readFully } from '../log/open-files.js';
import { putInPlace } from '../log/whole-file.js';
import type { ExportFormat } from './exported-event.js';

export const IMPORT_FILE = 'import.json';

export interface ImportPoint extends BuilderPoint {
  readonly source: string;
  readonly format: ExportFormat;
  /** Bytes of the source that were taken over, and their SHA-256: another source, or a changed one, begins anew. */
  readonly bytes: number;
  readonly sha256: string;
  readonly lines: number;
}

const IMPORT_FORMAT = 1;
const BYTES_MAX = 64 * 1024;

export function* writeImportPoint(directory: string, point: ImportPoint): Io<void> {
  const body = JSON.stringify({ import: IMPORT_FORMAT, ...point });
  yield* putInPlace(directory, IMPORT_FILE, finishedLine(body.slice(0, -1)));
}

/** Nothing when there is none, or none that can be used. */
export function* readImportPoint(directory: string): Io<ImportPoint | undefined> {
  let file: number;
  try {
    file = yield* ask('open', join(directory, IMPORT_FILE), 'read');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const bytes = Buffer.alloc(BYTES_MAX);
    const count = yield* readFully(file, bytes, 0, bytes.length, 0);
    const line = bytes.subarray(0, count);
    if (!checksumHolds(line, 0, line.length)) return undefined;
    const point = JSON.parse(line.toString('utf8')) as ImportPoint & { import?: unknown };
    return point.import === IMPORT_FORMAT ? point : undefined;
  } finally {
    yield* ask('close', file);
  }
}
