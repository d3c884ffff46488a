/** Transcripts of lines such as `Name: text`. */
import { ImportFailedError } from '../errors.js';
import { itemBytesMax } from './item.js';
import type { TextLine } from './text-lines.js';

/** What was said. */
export interface ChatMessage {
  readonly text: string;
  readonly speaker: string;
  readonly session: string;
  /** ISO 8601. */
  readonly at?: string | undefined;
  /** Where it begins. */
  readonly line: number;
  /** Bytes of the source up to its end. */
  readonly bytes: number;
}

/** `[time]`, `(time)` or a bare time before the name. */
const TIMED =
  /^(?:\[([^\]]{8,40})\]|\(([^)]{8,40})\)|(\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}\S*))[\s,-]*/;
/** A name of at most five words, then a colon and a space. A colon without one, as in an address, is none. */
const NAMED = /^(?:\*\*)?([\p{L}\p{N}_@][^:!?;"\s]*(?: [^:!?;"\s]+){0,4}):(?:\*\*)?(?:\s+|$)/u;
const TITLE = /^(?:#{1,6}\s+(.*?)\s*#*|(?:-{3,}|={3,})\s*([^-=\s].*?)\s*(?:-{3,}|={3,}))$/;
const NAME_MAX = 100;
/** What a time and a name, or a title, may take: no pattern looks at more of a line. */
const HEAD_MAX = 400;

interface Begun {
  readonly speaker: string;
  readonly session: string;
  readonly at: string | undefined;
  readonly line: number;
  readonly lines: string[];
  characters: number;
  bytes: number;
}

/** Puts the lines of a transcript together to messages. */
export class ChatText {
  readonly #file: string;
  #session: string;
  #begun: Begun | undefined;

  constructor(file: string, session: string) {
    this.#file = file;
    this.#session = session;
  }

  /** Whether a transcript may begin like this. */
  static begins(text: string): boolean {
    const line = text.trim();
    return titleOf(line) !== undefined || namedOf(line) !== undefined;
  }

  /** The message before, once the line begins another one. @throws ImportFailedError for a line before all names */
  take({ text, line, bytes }: TextLine): ChatMessage | undefined {
    const trimmed = text.trim();
    const title = titleOf(trimmed);
    if (title !== undefined) {
      const before = this.end();
      this.#session = title.slice(0, NAME_MAX).toWellFormed().trim() || this.#session;
      return before;
    }
    const named = namedOf(trimmed);
    if (named) {
      const before = this.end();
      const { speaker, at, said } = named;
      const session = this.#session;
      this.#begun = { speaker, session, at, line, lines: [said], characters: said.length, bytes };
      return before;
    }
    this.#goOn(text, line, bytes);
    return undefined;
  }

  #goOn(text: string, line: number, bytes: number): void {
    const begun = this.#begun;
    if (begun) {
      begun.lines.push(text.trimEnd());
      begun.characters += text.length + 1;
      begun.bytes = bytes;
      if (begun.characters <= itemBytesMax) return;
      const problem = `a message of more than ${itemBytesMax} bytes; divide it`;
      throw new ImportFailedError(this.#file, problem, { line: begun.line, column: 1 });
    }
    if (text.trim() === '') return;
    const problem = 'a line of a transcript must begin with `Name: `';
    throw new ImportFailedError(this.#file, problem, { line, column: 1 });
  }

  /** The last message. */
  end(): ChatMessage | undefined {
    const begun = this.#begun;
    this.#begun = undefined;
    if (!begun) return undefined;
    const { speaker, session, at, line, bytes } = begun;
    const text = begun.lines.join('\n').trim();
    if (text === '') return undefined;
    return { text, speaker, session, at, line, bytes };
  }
}

function titleOf(line: string): string | undefined {
  if (line.length > HEAD_MAX) return undefined;
  const title = TITLE.exec(line);
  return title ? (title[1] ?? title[2] ?? '').trim() : undefined;
}

function namedOf(line: string) {
  const head = line.slice(0, HEAD_MAX);
  const timed = TIMED.exec(head);
  const at = timed ? textTime(timed[1] ?? timed[2] ?? timed[3] ?? '') : undefined;
  const from = timed && at !== undefined ? timed[0].length : 0;
  const named = NAMED.exec(head.slice(from));
  const speaker = named?.[1]?.replace(/\*\*$/, '').trim() ?? '';
  if (!named || speaker === '' || speaker.length > NAME_MAX) return undefined;
  return { speaker, at, said: line.slice(from + named[0].length) };
}

const TIME =
  /^(\d{4}-\d{2}-\d{2})(?:[T ]+(\d{2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?)\s*(Z|UTC|[+-]\d{2}:?\d{2})?)?$/i;

/** ISO 8601 in UTC; a time without a zone is taken as that. */
export function textTime(text: string): string | undefined {
  const [, day, time = '00:00', zone = 'Z'] = TIME.exec(text.trim()) ?? [];
  if (day === undefined) return undefined;
  const offset = /^(?:z|utc)$/i.test(zone) ? 'Z' : zone.replace(/^(...):?(..)$/, '$1:$2');
  const date = new Date(`${day}T${time.replace(',', '.')}${offset}`);
  // A day such as 31 February is none.
  if (Number.isNaN(date.getTime()) || !isDay(day)) return undefined;
  const year = date.getUTCFullYear();
  return year >= 0 && year <= 9999 ? date.toISOString() : undefined;
}

function isDay(day: string): boolean {
  const date = new Date(`${day}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(day);
}
