/** What all errors have in common, and how they quote what came from elsewhere. */

/** The root of all errors of this library. Tell them apart by `code`, which never changes between releases. */
export class RecollectError extends Error {
  /** Stable, upper-case name of the failure. */
  readonly code: string;

  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
    this.name = new.target.name;
  }
}

/** Node's system error codes by which a disk tells why it refused. */
export function systemCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** A wrong argument: a TypeError that carries a stable `code` (`INVALID_ARGUMENT` unless told otherwise). */
export function invalidArgument(
  message: string,
  code = 'INVALID_ARGUMENT',
): TypeError & { code: string } {
  return Object.assign(new TypeError(message), { code });
}

/** What is not seen, or turns what is seen around: a text could be hidden with it. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Co}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/** Each of its UTF-16 code units. */
function escaped(characters: string): string {
  return characters.replace(
    /[\s\S]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function cut(text: string, charactersMax: number): string {
  return text.length > charactersMax ? `${text.slice(0, charactersMax - 3)}...` : text;
}

/** At most 60 characters of a text that came from elsewhere, with control and direction characters escaped. */
export function quote(text: string): string {
  return quoteWhole(cut(text, 60));
}

/** All of a text, in quotation marks, with control and direction characters escaped. */
export function quoteWhole(text: string): string {
  return JSON.stringify(text).replace(UNPRINTABLE, escaped);
}

/** The same without quotation marks, for sentences that others wrote: at most `charactersMax` characters and the escapes. */
export function excerpt(text: string, charactersMax = 200): string {
  return cut(text, charactersMax).toWellFormed().replace(UNPRINTABLE, escaped);
}

/** Why something failed, as the start of a sentence without its end, whatever it was that was thrown. */
export function reasonOf(cause: unknown): string {
  const said = cause instanceof Error ? (cause as { message: unknown }).message : cause;
  const text = typeof said === 'object' || typeof said === 'function' ? typeof said : String(said);
  return excerpt(text === '' ? 'no reason given' : text).replace(/[.\s]+$/, '');
}
