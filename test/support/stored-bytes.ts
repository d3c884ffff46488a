/**
 * Checks the bytes of a store against docs/FORMAT.md without a line of the log's own code: what writer and reader
 * understand wrongly in the same way is found here.
 */
import { createHash } from 'node:crypto';
import { join, sep } from 'node:path';
import { crc32 } from 'node:zlib';
import type { SimulatedDisk } from './simulated-disk.js';

interface SealPlace {
  readonly segment: number;
  readonly offset: number;
  readonly position: number;
  readonly seal: string;
}

const TAIL = /^,"c":"([0-9a-f]{8})"\}$/;
const TAIL_LENGTH = 16;

/** The body of a line without its LF as a value; a string says what is wrong with it. */
function readLine(line: Buffer): Record<string, unknown> | string {
  const body = line.subarray(0, line.length - TAIL_LENGTH);
  const tail = TAIL.exec(line.subarray(line.length - TAIL_LENGTH).toString('latin1'));
  if (!tail) return 'no checksum';
  if (crc32(body).toString(16).padStart(8, '0') !== tail[1]) return 'a wrong checksum';
  return JSON.parse(line.toString('utf8')) as Record<string, unknown>;
}

const sha256 = (...parts: (string | Buffer)[]): string => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
};

/** A place of the log that stands: behind a header or a seal. */
function keyOf({ segment, offset, position, seal }: SealPlace): string {
  return `${segment}:${offset}:${position}:${seal}`;
}

class Chain {
  readonly problems: string[] = [];
  readonly places = new Set<string>();
  commits = 0;
  readonly #store: string;
  #seal: string;
  #group: { tag: string; lines: Buffer[] } | undefined;
  #closed = true;

  constructor(store: string) {
    this.#store = store;
    this.#seal = sha256(store);
  }

  segment(first: number, bytes: Buffer): void {
    const problem = (text: string) => this.problems.push(`segment ${first}: ${text}`);
    if (!this.#closed) problem('the one before is not closed');
    if (first !== this.commits + 1) problem(`it should begin at position ${this.commits + 1}`);
    this.#closed = false;
    let offset = 0;
    while (offset < bytes.length) {
      const end = bytes.indexOf(0x0a, offset);
      if (end < 0) {
        problem(`bytes without an end at ${offset}`);
        return;
      }
      const line = bytes.subarray(offset, end);
      const value = readLine(line);
      if (typeof value === 'string') problem(`${value} at ${offset}`);
      else this.#line(first, value, line, offset, end + 1, problem);
      offset = end + 1;
    }
    if (this.#group) problem('its last group has no seal');
  }

  #line(
    first: number,
    value: Record<string, unknown>,
    line: Buffer,
    offset: number,
    end: number,
    problem: (text: string) => void,
  ): void {
    if (this.#closed) problem(`a line behind the closing line at ${offset}`);
    const [kind] = Object.keys(value);
    if ((kind === 'segment') !== (offset === 0)) problem(`a ${kind} line at ${offset}`);
    if (kind === 'segment') {
      const right = value['segment'] === first && value['store'] === this.#store;
      if (!right || value['seal'] !== this.#seal) problem('a header that does not fit');
      this.#stands(first, end);
    } else if (kind === 'p') {
      this.commits += 1;
      if (value['p'] !== this.commits) problem(`position ${value['p']} is not ${this.commits}`);
      const tag = String(value['g']);
      if (!this.#group && !tag.startsWith(`${this.commits}-`)) problem(`a group begins as ${tag}`);
      this.#group ??= { tag, lines: [] };
      if (tag !== this.#group.tag) problem(`a line of group ${tag} inside ${this.#group.tag}`);
      this.#group.lines.push(Buffer.concat([line, Buffer.from('\n')]));
    } else if (kind === 'seal') {
      const { tag, lines } = this.#group ?? { tag: '', lines: [] };
      const bytes = Buffer.concat(lines);
      const salt = String(value['salt']);
      const seal = sha256(this.#seal, bytes, salt);
      const right =
        value['g'] === tag &&
        value['p'] === this.commits &&
        value['n'] === lines.length &&
        value['b'] === bytes.length &&
        tag.endsWith(`-${salt.slice(0, 4)}`);
      if (!right || lines.length === 0) problem(`the seal at ${offset} is another group's`);
      if (value['seal'] !== seal) problem(`the seal at ${offset} does not fit its lines`);
      this.#seal = seal;
      this.#group = undefined;
      this.#stands(first, end);
    } else if (kind === 'close') {
      if (this.#group) problem('it is closed inside a group');
      const right = value['close'] === this.commits && value['seal'] === this.#seal;
      if (!right) problem('a closing line that does not fit');
      this.#closed = true;
    } else problem(`a line of an unknown kind at ${offset}`);
  }

  #stands(segment: number, offset: number): void {
    this.places.add(keyOf({ segment, offset, position: this.commits, seal: this.#seal }));
  }
}

function anchorProblems(bytes: Buffer, places: ReadonlySet<string>): string[] {
  if (bytes.length !== 1024) return [`the anchor is ${bytes.length} bytes long`];
  const slots = [bytes.subarray(0, 512), bytes.subarray(512)].flatMap((slot) => {
    const text = slot.toString('latin1');
    if (!text.startsWith('{') || !text.endsWith('\n')) return [];
    const value = readLine(Buffer.from(text.trimEnd(), 'latin1'));
    return typeof value === 'string' ? [] : [value];
  });
  slots.sort((a, b) => Number(b['anchor']) - Number(a['anchor']));
  const [newest] = slots;
  if (!newest) return ['no slot of the anchor holds one'];
  const { p: position, segment, offset, seal } = newest;
  const place = { position, segment, offset, seal } as SealPlace;
  return places.has(keyOf(place)) ? [] : ['the anchor names a place that the log does not have'];
}

/** What is wrong with the store's bytes, once it was opened for writing and closed again. */
export function problemsOfBytes(disk: SimulatedDisk, directory: string): string[] {
  const problems: string[] = [];
  const content = (name: string) => disk.contentOf(join(directory, name)) ?? Buffer.alloc(0);
  const store = readLine(content('store.json').subarray(0, -1));
  if (typeof store === 'string') return [`store.json: ${store}`];
  const chain = new Chain(String(store['id']));
  for (const path of disk.paths()) {
    const name = path.slice(directory.length + 1).replaceAll(sep, '/');
    const segment = /^log\/([0-9]{20})\.ndjson$/.exec(name)?.[1];
    if (segment !== undefined) chain.segment(Number(segment), content(name));
    else if (name.startsWith('log/') && name !== 'log/' && !name.endsWith('.broken')) {
      problems.push(`a file that does not belong into the log: ${name}`);
    }
  }
  return [...problems, ...chain.problems, ...anchorProblems(content('anchor'), chain.places)];
}
