/** Who speaks: names as they stand in documents, and what a question may call them. */

interface Speaker {
  readonly name: string;
  readonly parts: readonly string[];
  documents: number;
}

/** What others are called by who asks. */
const PRONOUNS: ReadonlyMap<string, readonly string[]> = new Map([
  ['user', ['i', 'me', 'my', 'mine', 'myself', "i'm", "i've", "i'd", "i'll"]],
  ['human', ['i', 'me', 'my', 'mine', 'myself', "i'm", "i've", "i'd", "i'll"]],
  ['assistant', ['you', 'your', 'yours', 'yourself', "you've", "you're", "you'd"]],
]);

const NAME = /[\p{L}\p{M}\p{N}]+(?:['’][\p{L}\p{M}\p{N}]+)*/gu;
/** A shorter beginning of a name could be any name. */
const NICKNAME_MIN = 3;
/** So many words of a question are taken for the beginning of a name: each is compared with every speaker. */
const NICKNAMES_MAX = 8;

/** The words of a name, folded, without the endings of possession. */
function nameParts(text: string): string[] {
  const words = text.normalize('NFKC').toLowerCase().replaceAll('’', "'").match(NAME) ?? [];
  return words.map((word) => word.replace(/'s?$/, ''));
}

export class Speakers {
  readonly #ids = new Map<string, number>();
  readonly #speakers: Speaker[] = [];
  readonly #byPart = new Map<string, number[]>();

  idOf(name: string): number {
    const known = this.#ids.get(name);
    if (known !== undefined) return known;
    const id = this.#speakers.length;
    this.#ids.set(name, id);
    const parts = [...new Set(nameParts(name))];
    this.#speakers.push({ name, parts, documents: 0 });
    for (const part of parts) {
      const ids = this.#byPart.get(part);
      if (ids) ids.push(id);
      else this.#byPart.set(part, [id]);
    }
    return id;
  }

  nameOf(id: number): string {
    return (this.#speakers[id] as Speaker).name;
  }

  /** Speakers ever seen. */
  get size(): number {
    return this.#speakers.length;
  }

  count(id: number, by: 1 | -1): void {
    (this.#speakers[id] as Speaker).documents += by;
  }

  /** Documents of a speaker. */
  documentsOf(id: number): number {
    return (this.#speakers[id] as Speaker).documents;
  }

  /**
   * The speakers that a question names, and the words by which it does. A name is found by any part of it, and by its beginning when that is written like a
   * name and could be nobody else's. Words that stand in texts about anything are never names.
   * @param isCommon - whether a word stands in texts about anything
   */
  namedIn(
    query: string,
    isCommon: (word: string) => boolean,
  ): { readonly ids: ReadonlySet<number>; readonly words: ReadonlySet<string> } {
    const ids = new Set<number>();
    const words = new Set<string>();
    const written = query.normalize('NFKC').match(NAME) ?? [];
    let nicknames = 0;
    for (const word of new Set(written)) {
      const [part = ''] = nameParts(word);
      if (part === '' || isCommon(part)) continue;
      const found = [...this.#calledBy(part)];
      if (found.length === 0 && /^\p{Lu}/u.test(word) && part.length >= NICKNAME_MIN) {
        nicknames += 1;
        if (nicknames <= NICKNAMES_MAX) found.push(...this.#begunBy(part));
      }
      if (found.length > 0) words.add(part);
      for (const id of found) ids.add(id);
    }
    if (ids.size === 0) for (const id of this.#rolesIn(written)) ids.add(id);
    return { ids, words };
  }

  #calledBy(part: string): readonly number[] {
    return (this.#byPart.get(part) ?? []).filter((id) => this.documentsOf(id) > 0);
  }

  /** The one whose name begins so; nobody where that are several. */
  #begunBy(part: string): readonly number[] {
    const begun: number[] = [];
    for (const [id, { parts, documents }] of this.#speakers.entries()) {
      if (documents > 0 && parts.some((each) => each.startsWith(part))) begun.push(id);
      if (begun.length > 1) return [];
    }
    return begun;
  }

  /** `I` asks for what the user said, `you` for what the assistant did. Both at once tell nothing. */
  #rolesIn(written: readonly string[]): readonly number[] {
    const lower = new Set(written.map((word) => word.toLowerCase().replaceAll('’', "'")));
    const roles = [...this.#speakers.entries()].filter(([, { name, documents }]) => {
      const pronouns = documents > 0 ? PRONOUNS.get(name.toLowerCase()) : undefined;
      return pronouns?.some((pronoun) => lower.has(pronoun)) === true;
    });
    return roles.length === 1 ? roles.map(([id]) => id) : [];
  }
}
