/** The fenced code blocks of a Markdown page. */
export interface CodeBlock {
  /** What stands behind the opening fence, such as `js`. */
  readonly info: string;
  readonly code: string;
  /** Where the code begins in the page, from 1. */
  readonly line: number;
}

export function codeBlocksOf(page: string): CodeBlock[] {
  const blocks: CodeBlock[] = [];
  const fence = /^```(.*)\n((?:(?!```).*\n)*)```$/gm;
  for (const { 1: info = '', 2: code = '', index } of page.matchAll(fence)) {
    const line = page.slice(0, index).split('\n').length + 1;
    blocks.push({ info: info.trim(), code, line });
  }
  return blocks;
}
