/** Errors in the shape of Node's own system errors, for disks that are not the operating system's. */
import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';

const numbers: Readonly<Record<string, number | undefined>> = constants.errno;
/** Node makes a new map at each call. */
const texts = getSystemErrorMap();

/** Such as `ENOENT: no such file or directory, open '/a'`, with `code`, `errno`, `syscall` and `path`. */
export function systemError(code: string, syscall: string, path?: string): NodeJS.ErrnoException {
  const number = numbers[code];
  const text = number === undefined ? undefined : texts.get(-number)?.[1];
  const where = path === undefined ? '' : ` '${path}'`;
  const error = new Error(`${code}: ${text ?? 'refused by the disk'}, ${syscall}${where}`);
  return Object.assign(error, {
    code,
    syscall,
    ...(number === undefined ? {} : { errno: -number }),
    ...(path === undefined ? {} : { path }),
  });
}

/**
 * The same error under its name. Node has no name for some errors, EDQUOT (a full quota) among them: their `code`
 * reads `Unknown system error -122`, and nobody who asks for the code would take that for a full disk.
 */
export function named(error: unknown): unknown {
  if (!(error instanceof Error) || !('errno' in error) || !('code' in error)) return error;
  const { errno, code } = error;
  if (typeof errno !== 'number' || typeof code !== 'string') return error;
  if (!code.startsWith('Unknown system error')) return error;
  const name = Object.keys(numbers).find((key) => numbers[key] === -errno);
  if (name === undefined) return error;
  error.message = error.message.replace(code, name);
  return Object.assign(error, { code: name });
}
