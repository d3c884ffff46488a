/**
 * Cuts Markdown into headings, paragraphs and blocks of code, a line at a time (CommonMark 0.31 as far as that goes: what stands inside of a block is left as
 * it is written).
 */
import { itemBytesMax } from './item.js';
import type { TextLine } from './text-lines.js';

export interface Block {
  readonly kind: 'heading' | 'paragraph' | 'code' | 'front-matter';
  /** As it is written; of a heading its text alone. */
  readonly text: string;
  /** Of a heading, from 1 to 6. */
  readonly level: number;
  /** Where it begins, from 1. */
  readonly line: number;
  /** Bytes of the file up to its end. */
  readonly bytes: number;
}

interface Begun {
  readonly kind: Block['kind'];
  readonly line: number;
  readonly lines: string[];
  characters: number;
  bytes: number;
  /** Whether a line of it says that it is no plain text: then no underline makes a heading of it. */
  isMarked: boolean;
}

const HEADING = /^ {0,3}(#{1,6})(?:[ \t]+|$)/;
const UNDERLINE = /^ {0,3}(=+|-+)[ \t]*$/;
const RULE = /^ {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})$/;
const FENCE = /^ {0,3}(`{3,}|~{3,})/;
const FRONT_MATTER = /^---[ \t]*$/;
const MARKED = /^\s*(?:[-+*>|]|\d{1,9}[.)]\s)/;
const FRONT_MATTER_END = /^(?:---|\.\.\.)[ \t]*$/;
/** No pattern looks at more of a line. */
const HEAD_MAX = 400;

export class MarkdownBlocks {
  #begun: Begun | undefined;
  #fence = '';
  #isFirst = true;
  /** The lines of front matter that is not closed yet: without an end, or when it is longer than an item may be, it is none. */
  #unclosed: TextLine[] = [];

  /** Characters of the block that is not at its end yet. */
  get openCharacters(): number {
    return this.#begun?.characters ?? 0;
  }

  /** Where it began. */
  get openLine(): number {
    return this.#begun?.line ?? 0;
  }

  /** The blocks that end with this line, or before it. */
  *take(line: TextLine): Generator<Block, void> {
    const isFirst = this.#isFirst;
    this.#isFirst = false;
    const begun = this.#begun;
    if (isFirst && FRONT_MATTER.test(line.text.slice(0, HEAD_MAX))) {
      this.#begin('front-matter', line);
      this.#unclosed = [line];
    } else if (begun?.kind === 'front-matter') yield* this.#inFrontMatter(line);
    else if (begun && this.#fence !== '') yield* this.#inFence(line);
    else yield* this.#plain(line);
  }

  *#inFrontMatter(line: TextLine): Generator<Block, void> {
    this.#unclosed.push(line);
    if (FRONT_MATTER_END.test(line.text.slice(0, HEAD_MAX))) {
      this.#unclosed = [];
      yield* this.#close(line.bytes);
    } else {
      this.#add(line);
      if (this.openCharacters > itemBytesMax) yield* this.#asText();
    }
  }

  /** What began as front matter and is none. */
  *#asText(): Generator<Block, void> {
    const lines = this.#unclosed;
    if (lines.length === 0) return;
    this.#unclosed = [];
    this.#begun = undefined;
    for (const line of lines) yield* this.take(line);
  }

  *#inFence(line: TextLine): Generator<Block, void> {
    const text = line.text.trim();
    const isEnd =
      text.length >= this.#fence.length &&
      /^ {0,3}[`~]/.test(line.text) &&
      text === (this.#fence[0] ?? '').repeat(text.length);
    if (isEnd) yield* this.#close(line.bytes);
    else this.#add(line);
  }

  *#plain(line: TextLine): Generator<Block, void> {
    const head = line.text.slice(0, HEAD_MAX);
    const [, fence] = FENCE.exec(head) ?? [];
    const [marks, hashes = ''] = HEADING.exec(head) ?? [];
    if (line.text.trim() === '') yield* this.#close(undefined);
    else if (
      fence !== undefined &&
      !(fence[0] === '`' && line.text.includes('`', fence.length + 3))
    ) {
      yield* this.#close(undefined);
      this.#fence = fence;
      this.#begin('code', line, []);
    } else if (marks !== undefined) {
      yield* this.#close(undefined);
      yield heading(
        withoutMarks(line.text.slice(marks.length)),
        hashes.length,
        line.line,
        line.bytes,
      );
    } else if (this.#isUnderline(head)) {
      const { line: from, lines } = this.#begun as Begun;
      const text = lines.join('\n').trim();
      this.#begun = undefined;
      yield heading(text, head.includes('=') ? 1 : 2, from, line.bytes);
    } else if (RULE.test(head)) yield* this.#close(undefined);
    else if (this.#begun) this.#add(line);
    else this.#begin('paragraph', line, [line.text]);
  }

  /** What makes a heading of the paragraph above it: of text, not of a list, a quotation or a table. */
  #isUnderline(head: string): boolean {
    const begun = this.#begun;
    if (!begun || !UNDERLINE.test(head)) return false;
    return !begun.isMarked;
  }

  #begin(kind: Block['kind'], { text, line, bytes }: TextLine, lines: string[] = []): void {
    const isMarked = lines.some((each) => MARKED.test(each));
    this.#begun = { kind, line, lines, characters: text.length, bytes, isMarked };
  }

  #add({ text, bytes }: TextLine): void {
    const begun = this.#begun as Begun;
    begun.lines.push(text);
    begun.characters += text.length + 1;
    begun.isMarked ||= MARKED.test(text);
    begun.bytes = bytes;
  }

  *#close(endBytes: number | undefined): Generator<Block, void> {
    const begun = this.#begun;
    this.#begun = undefined;
    this.#fence = '';
    if (!begun) return;
    const { kind, line, lines } = begun;
    const text = kind === 'code' ? lines.join('\n') : lines.join('\n').trim();
    if (text.trim() === '') return;
    yield { kind, text, level: 0, line, bytes: endBytes ?? begun.bytes };
  }

  /** What the end of the file ends. */
  *end(): Generator<Block, void> {
    yield* this.#asText();
    yield* this.#close(undefined);
  }
}

function heading(text: string, level: number, line: number, bytes: number): Block {
  return { kind: 'heading', text, level, line, bytes };
}

/** Without the number signs that may close a heading. By hand: a pattern would look at every run of spaces again. */
function withoutMarks(text: string): string {
  const trimmed = text.trim();
  let end = trimmed.length;
  while (end > 0 && trimmed[end - 1] === '#') end -= 1;
  const isClosed = end === 0 || trimmed[end - 1] === ' ' || trimmed[end - 1] === '\t';
  return isClosed ? trimmed.slice(0, end).trim() : trimmed;
}
