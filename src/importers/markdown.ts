/** Markdown: headings become records, paragraphs and blocks of code episodes, links sites. */
import { ImportFailedError } from '../errors.js';
import { textTime } from './chat-text.js';
import { checkItem, type ImportItem, itemBytesMax, keyFor } from './item.js';
import { type Block, MarkdownBlocks } from './markdown-blocks.js';
import { hostsOf, linksIn } from './markdown-links.js';
import { linesOf } from './text-lines.js';

export interface MarkdownFile {
  readonly path: string;
  /** As it is called in the folder, with forward slashes. */
  readonly name: string;
  /** When it was changed, ISO 8601: the time of what says nothing else. */
  readonly changedAt: string;
}

export interface MarkdownOptions {
  readonly signal: AbortSignal | undefined;
  /** Bytes of the files before. */
  readonly bytesBefore: number;
  /** As errors call the file. */
  readonly label: string;
}

/** Items of one file. @throws ImportFailedError */
export async function* markdownItems(
  file: MarkdownFile,
  { signal, bytesBefore, label }: MarkdownOptions,
): AsyncGenerator<ImportItem, void> {
  const blocks = new MarkdownBlocks();
  const page = new Page(file);
  const place = (line: number) => ({ file: label, line });
  const itemsOf = function* (from: Iterable<Block>): Generator<ImportItem, void> {
    for (const block of from) {
      const item = page.item(block, bytesBefore);
      if (!item) continue;
      checkItem(item, place(block.line));
      yield item;
    }
  };
  for await (const line of linesOf(file.path, { signal, label, noLink: true })) {
    yield* itemsOf(blocks.take(line));
    if (blocks.openCharacters <= itemBytesMax) continue;
    const problem = `a block of more than ${itemBytesMax} bytes; divide it`;
    throw new ImportFailedError(label, problem, { line: blocks.openLine, column: 1 });
  }
  yield* itemsOf(blocks.end());
}

interface Heading {
  readonly title: string;
  readonly level: number;
}

const TITLE_MAX = 1000;

/** A file, as it goes on. */
class Page {
  readonly #file: MarkdownFile;
  /** Headings that what comes next stands under. */
  #under: Heading[] = [];
  readonly #taken = new Map<string, number>();
  #date: string | undefined;

  constructor(file: MarkdownFile) {
    this.#file = file;
  }

  item(block: Block, bytesBefore: number): ImportItem | undefined {
    const { name: lane, changedAt } = this.#file;
    const bytes = bytesBefore + block.bytes;
    if (block.kind === 'front-matter') {
      this.#date = dateIn(block.text);
      return undefined;
    }
    if (block.kind === 'heading') return { content: this.#heading(block), lane, bytes };
    const item = { content: this.#episode(block), lane, bytes };
    return this.#date === undefined ? { ...item, at: changedAt } : item;
  }

  #heading({ text, level, line }: Block) {
    const title = text.slice(0, TITLE_MAX).toWellFormed();
    this.#under = [...this.#under.filter((each) => each.level < level), { title, level }];
    const { name: file } = this.#file;
    const under = this.#under.slice(0, -1).map((each) => each.title);
    const key = keyFor('records', `${file}#${this.#slug(title)}`);
    const links = linksIn(text);
    return {
      record: { key, value: { title, level, file, line, under }, section: 'semantic' },
      ...(links.length === 0 ? {} : { sites: hostsOf(links) }),
    };
  }

  /** As links to a heading name it; a number tells apart what would be named the same. */
  #slug(title: string): string {
    const kept = title.toLowerCase().replace(/[^\p{L}\p{N}\p{M} _-]/gu, '');
    const slug = kept.trim().replaceAll(' ', '-') || 'heading';
    for (let number = this.#taken.get(slug) ?? 0; ; number += 1) {
      const name = number === 0 ? slug : `${slug}-${number}`;
      if (number > 0 && this.#taken.has(name)) continue;
      this.#taken.set(slug, number + 1);
      if (name !== slug) this.#taken.set(name, 1);
      return name;
    }
  }

  #episode({ kind, text, line }: Block) {
    const { name: session } = this.#file;
    const links = kind === 'code' ? [] : linksIn(text);
    const under = this.#under.at(-1)?.title;
    const metadata = {
      line,
      ...(under === undefined ? {} : { heading: under }),
      ...(links.length === 0 ? {} : { links }),
    };
    const at = this.#date === undefined ? {} : { at: this.#date };
    return {
      episode: { text, kind, session, metadata, ...at },
      ...(links.length === 0 ? {} : { sites: hostsOf(links) }),
    };
  }
}

/** What a date in front matter may take: no pattern looks at a longer line. */
const DATE_LINE_MAX = 400;
const DATE = /^date:[ \t]*["']?([^"'\n#]{8,40}?)["']?[ \t]*$/;

function dateIn(text: string): string | undefined {
  for (const line of text.split('\n')) {
    if (line.length > DATE_LINE_MAX) continue;
    const [, date] = DATE.exec(line) ?? [];
    if (date !== undefined) return textTime(date);
  }
  return undefined;
}
