/** The directories of a tree, from the sorted names of its files. */

export interface GitDirectory {
  /** Without the root's name: `src/log`; `` is the root. */
  readonly path: string;
  /** How many there are, and the names of the first. */
  readonly files: number;
  readonly fileNames: readonly string[];
  readonly directories: number;
  readonly directoryNames: readonly string[];
}

const NAMES_MAX = 200;
const NAME_CHARACTERS_MAX = 255;

class Open {
  readonly path: string;
  readonly #name: string;
  #files = 0;
  #directories = 0;
  readonly #fileNames: string[] = [];
  readonly #directoryNames: string[] = [];

  constructor(path: string, name: string) {
    this.path = path;
    this.#name = name;
  }

  get name(): string {
    return this.#name;
  }

  file(name: string): void {
    this.#files += 1;
    if (this.#fileNames.length < NAMES_MAX) this.#fileNames.push(shortened(name));
  }

  directory(name: string): void {
    this.#directories += 1;
    if (this.#directoryNames.length < NAMES_MAX) this.#directoryNames.push(shortened(name));
  }

  closed(): GitDirectory {
    return {
      path: this.path,
      files: this.#files,
      fileNames: this.#fileNames,
      directories: this.#directories,
      directoryNames: this.#directoryNames,
    };
  }
}

function shortened(name: string): string {
  return name.slice(0, NAME_CHARACTERS_MAX).toWellFormed();
}

/** A directory is given once all below it was; only those on the way to the present file are open. */
export async function* directoriesOf(
  files: AsyncIterable<Buffer>,
): AsyncGenerator<GitDirectory, void> {
  const open = [new Open('', '')];
  let some = false;
  for await (const bytes of files) {
    some = true;
    const names = bytes.toString().split('/');
    const file = names.pop() ?? '';
    let depth = 0;
    while (depth < names.length && open[depth + 1]?.name === names[depth]) depth += 1;
    while (open.length > depth + 1) yield (open.pop() as Open).closed();
    for (const name of names.slice(depth)) {
      const parent = open.at(-1) as Open;
      parent.directory(name);
      open.push(new Open(parent.path === '' ? name : `${parent.path}/${name}`, name));
    }
    open.at(-1)?.file(file);
  }
  if (!some) return;
  while (open.length > 0) yield (open.pop() as Open).closed();
}
