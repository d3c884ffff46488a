/**
 * A disk that loses, tears and reorders what was not synced. Processes are views on it (`disk.process('a')`), each with
 * descriptors, locks and faults of its own, and all in this thread; see simulated-process.ts for what can go wrong there.
 *
 * A crash of a process leaves everything that it handed over. A power loss leaves of each file what simulated-file.ts
 * says, and of each change of a directory that was not synced all or nothing, each change for itself:
 * - a file whose entry was not synced may be gone although its bytes were synced;
 * - a rename is whole or not there at all; between two directories it is durable once both were synced;
 * - a failed sync of a directory makes nothing durable, and a later one still can (journals stop for good instead).
 *
 * ```ts
 * const disk = new SimulatedDisk({ seed });
 * disk.process('a').crashAt(17, 'after');
 * try { run(disk.process('a')) } catch (error) { if (!(error instanceof CrashError)) throw error }
 * check(disk.process('b'));                                        // a died, the machine did not
 * check(disk.powerLoss(seededChooser(seed)).process('a'));         // the machine did
 * for (const state of disk.statesAfterPowerLoss(10_000)) check(state.process('a'));
 * ```
 */
import { createHash } from 'node:crypto';
import { basename, dirname, parse, sep } from 'node:path';
import { systemError } from '#src/log/system-error.js';
import { type Chooser, everyChoice } from './chooser.js';
import { ManualClock } from './clock.js';
import { SimulatedFile } from './simulated-file.js';
import { SimulatedProcess, type TracedCall } from './simulated-process.js';

export interface SimulatedDiskOptions {
  /** Part of the boot id, so that two disks of one test can differ. */
  readonly seed?: number;
  readonly clock?: ManualClock;
  /** Bytes that files can still grow by; beyond them writes are short, then ENOSPC. Default: no bound. */
  readonly freeBytes?: number;
  /** False: a lock covers the whole file, as on macOS. */
  readonly rangeLocks?: boolean;
}

/** A symbolic link, which no process follows when it is the last part of a path. */
export class SimulatedLink {
  readonly kind = 'other';
  readonly inode: number;

  constructor(inode: number) {
    this.inode = inode;
  }
}

export class SimulatedDirectory {
  readonly kind = 'directory';
  readonly inode: number;
  /** What processes see. */
  readonly entries = new Map<string, SimulatedNode>();
  /** What a power loss leaves in any case; the number is that of the change which put it there. */
  readonly durable: DurableEntries = new Map();

  constructor(inode: number) {
    this.inode = inode;
  }
}

export type SimulatedNode = SimulatedFile | SimulatedDirectory | SimulatedLink;

type DurableEntries = Map<
  string,
  { readonly node: SimulatedNode | undefined; readonly change: number }
>;

/** Names as a power loss leaves them: in any case, or in the case at hand. */
interface Names {
  readonly entriesOf: (directory: SimulatedDirectory) => DurableEntries;
  /** Where each node was put last, and by which change. */
  readonly places: Map<SimulatedNode, { readonly place: Place; readonly change: number }>;
}

interface Place {
  readonly directory: SimulatedDirectory;
  readonly name: string;
}

/** A change of names that is not durable yet. */
interface Change {
  readonly number: number;
  /** The place that a rename leaves. */
  readonly from: Place | undefined;
  readonly to: Place;
  /** What stands at `to` afterwards. */
  readonly node: SimulatedNode | undefined;
  /** True of a further name: the node keeps the one that it has. */
  readonly isLink: boolean;
  /** Directories that must be synced before it is durable. */
  readonly waitsFor: Set<SimulatedDirectory>;
}

export class SimulatedDisk {
  readonly clock: ManualClock;
  readonly bootId: string;
  readonly rangeLocks: boolean;
  /** Called by `pause`: what other processes do in the meantime. */
  onPause: ((process: string, milliseconds: number) => void) | undefined;
  /** May be set at any time: 0 fills the disk up, undefined takes the bound away. */
  freeBytes: number | undefined;
  /** The last calls of all processes, oldest first. */
  readonly trace: TracedCall[] = [];

  readonly #seed: number;
  readonly #boots: number;
  readonly #processes = new Map<string, SimulatedProcess>();
  readonly #root = new SimulatedDirectory(1);
  readonly #durable: Names = { entriesOf: ({ durable }) => durable, places: new Map() };
  #lastInode = 1;
  #lastChange = 0;
  #changes: Change[] = [];

  constructor(options: SimulatedDiskOptions = {}, boots = 1) {
    this.clock = options.clock ?? new ManualClock();
    this.rangeLocks = options.rangeLocks ?? true;
    this.freeBytes = options.freeBytes;
    this.#seed = options.seed ?? 0;
    this.#boots = boots;
    const hex = (number: number, digits: number) => number.toString(16).padStart(digits, '0');
    this.bootId = `${hex(this.#seed >>> 0, 8)}-0000-4000-8000-${hex(boots, 12)}`;
  }

  /** The running process of that name; a new one when there is none, or when the last one died. */
  process(name = 'main'): SimulatedProcess {
    const running = this.#processes.get(name);
    if (running?.alive) return running;
    const process = new SimulatedProcess(this, name);
    this.#processes.set(name, process);
    return process;
  }

  /** The process is gone with its descriptors and locks, the machine goes on: nothing that was written is lost. */
  kill(name = 'main'): void {
    this.#processes.get(name)?.die();
  }

  /**
   * The machine loses its power and starts again: the disk as it is found then. Every process of this one is dead.
   */
  powerLoss(choose: Chooser): SimulatedDisk {
    for (const process of this.#processes.values()) process.die();
    return this.#afterPowerLoss(choose, () => true);
  }

  /**
   * Each different disk that a power loss at this moment can leave; this one goes on. For small runs: more than
   * `limit` combinations are a RangeError. Files for which `varies` says no keep their newest content.
   */
  *statesAfterPowerLoss(
    limit = 10_000,
    varies: (path: string) => boolean = () => true,
  ): Generator<SimulatedDisk> {
    const seen = new Set<string>();
    let combinations = 0;
    for (const state of everyChoice((choose) => this.#afterPowerLoss(choose, varies))) {
      combinations += 1;
      if (combinations > limit) {
        throw new RangeError(
          `A power loss can leave more than ${limit} states here: make the run smaller, or use seededChooser`,
        );
      }
      const fingerprint = state.fingerprint();
      if (seen.has(fingerprint)) continue;
      seen.add(fingerprint);
      yield state;
    }
  }

  /** The kernel drops clean pages: what a failed sync left undone may now read differently. */
  evict(choose: Chooser): void {
    for (const [, node] of this.#walk()) if (node.kind === 'file') node.evict(choose);
  }

  /** What a process would read there, without being one. */
  contentOf(path: string): Buffer | undefined {
    const node = this.find(path);
    return node?.kind === 'file' ? Buffer.from(node.content) : undefined;
  }

  /** All paths, sorted, directories with a separator at their end. */
  paths(): string[] {
    return [...this.#walk()].map(([path, node]) => (node.kind === 'directory' ? path + sep : path));
  }

  /** Equal for disks on which processes see the same names and bytes. */
  fingerprint(): string {
    const hash = createHash('sha1');
    for (const [path, node] of this.#walk()) {
      hash.update(`${path}\0${node.kind}\0`);
      if (node.kind === 'file') hash.update(`${node.size}\0`).update(node.content);
    }
    return hash.digest('hex');
  }

  /** Puts a symbolic link there, durable at once. */
  makeLink(path: string): void {
    this.#putDurably(this.#place(path, 'symlink'), new SimulatedLink(this.#newInode()));
  }

  // What follows is the kernel's side of the calls in simulated-process.ts.

  find(path: string): SimulatedNode | undefined {
    let node: SimulatedNode | undefined = this.#root;
    for (const name of path.slice(parse(path).root.length).split(sep)) {
      if (name === '') continue;
      node = node?.kind === 'directory' ? node.entries.get(name) : undefined;
    }
    return node;
  }

  directory(path: string, call: string): SimulatedDirectory {
    const node = this.find(path);
    if (!node) throw systemError('ENOENT', call, path);
    if (node.kind !== 'directory') throw systemError('ENOTDIR', call, path);
    return node;
  }

  createFile(path: string): SimulatedFile {
    const file = new SimulatedFile(this.#newInode());
    this.#add(path, file, 'open');
    return file;
  }

  makeDirectory(path: string): void {
    this.#add(path, new SimulatedDirectory(this.#newInode()), 'mkdir');
  }

  rename(from: string, to: string): void {
    const source = this.#place(from, 'rename');
    const target = this.#place(to, 'rename');
    const node = source.directory.entries.get(source.name);
    const replaced = target.directory.entries.get(target.name);
    if (!node) throw systemError('ENOENT', 'rename', from);
    if (node === replaced) return;
    if (replaced?.kind === 'directory') {
      if (node.kind !== 'directory') throw systemError('EISDIR', 'rename', to);
      if (replaced.entries.size > 0) throw systemError('ENOTEMPTY', 'rename', to);
    } else if (replaced && node.kind === 'directory') {
      throw systemError('ENOTDIR', 'rename', to);
    }
    source.directory.entries.delete(source.name);
    target.directory.entries.set(target.name, node);
    this.#change(target, node, source);
    if (replaced) this.#gone(replaced);
  }

  /** A second name of a file; a power loss leaves it or not, and the first name is none of its business. */
  link(from: string, to: string): void {
    const node = this.find(from);
    const place = this.#place(to, 'link');
    if (!node) throw systemError('ENOENT', 'link', from);
    if (node.kind !== 'file') throw systemError('EPERM', 'link', from);
    if (place.directory.entries.has(place.name)) throw systemError('EEXIST', 'link', to);
    place.directory.entries.set(place.name, node);
    this.#change(place, node, undefined, true);
  }

  remove(path: string): void {
    const place = this.#place(path, 'unlink');
    const node = place.directory.entries.get(place.name);
    if (!node) throw systemError('ENOENT', 'unlink', path);
    if (node.kind === 'directory' && node.entries.size > 0) {
      throw systemError('ENOTEMPTY', 'rmdir', path);
    }
    place.directory.entries.delete(place.name);
    this.#change(place, undefined);
    this.#gone(node);
  }

  syncDirectory(path: string): void {
    const directory = this.directory(path, 'open');
    const waiting: Change[] = [];
    for (const change of this.#changes) {
      change.waitsFor.delete(directory);
      if (change.waitsFor.size > 0) waiting.push(change);
      else this.#apply(change, this.#durable);
    }
    this.#changes = waiting;
  }

  /** How many of the bytes by which a file is to grow there is room for; they are taken. */
  takeRoom(bytes: number): number {
    if (this.freeBytes === undefined || bytes <= 0) return bytes;
    const taken = Math.min(bytes, this.freeBytes);
    this.freeBytes -= taken;
    return taken;
  }

  giveRoom(bytes: number): void {
    if (this.freeBytes !== undefined) this.freeBytes += bytes;
  }

  changed(file: SimulatedFile): void {
    for (const watcher of file.watchers) watcher();
  }

  #add(path: string, node: SimulatedNode, call: string): void {
    const place = this.#place(path, call);
    if (place.directory.entries.has(place.name)) throw systemError('EEXIST', call, path);
    if (this.freeBytes === 0) throw systemError('ENOSPC', call, path);
    place.directory.entries.set(place.name, node);
    this.#change(place, node);
  }

  #gone(node: SimulatedNode): void {
    if (node.kind !== 'file') return;
    const hasAnotherName =
      this.freeBytes !== undefined && [...this.#walk()].some(([, other]) => other === node);
    if (!hasAnotherName) this.giveRoom(node.size);
    this.changed(node);
  }

  #change(to: Place, node: SimulatedNode | undefined, from?: Place, isLink = false): void {
    this.#lastChange += 1;
    const waitsFor = new Set([to.directory, from?.directory ?? to.directory]);
    this.#changes.push({ number: this.#lastChange, from, to, node, isLink, waitsFor });
  }

  #place(path: string, call: string): Place {
    return { directory: this.directory(dirname(path), call), name: basename(path) };
  }

  #newInode(): number {
    this.#lastInode += 1;
    return this.#lastInode;
  }

  /** Makes a change of names in `names`. A later change of a name, or of a node's place, wins whenever it is made. */
  #apply(change: Change, names: Names): void {
    const { number, from, to, node } = change;
    const set = (place: Place, is: SimulatedNode | undefined): void => {
      const entries = names.entriesOf(place.directory);
      if ((entries.get(place.name)?.change ?? 0) > number) return;
      entries.set(place.name, { node: is, change: number });
    };
    if (change.isLink) {
      set(to, node);
      return;
    }
    if (from) set(from, undefined);
    const placed = node && names.places.get(node);
    if (!node || (placed && placed.change > number)) {
      set(to, undefined);
      return;
    }
    if (placed) {
      // A node has one name. Where an earlier rename of it is not there, this one takes it from where that found it;
      // that is no change of its own of that name, so whatever came to stand there since keeps its right.
      const entries = names.entriesOf(placed.place.directory);
      const entry = entries.get(placed.place.name);
      if (entry?.node === node) entries.set(placed.place.name, { ...entry, node: undefined });
    }
    set(to, node);
    names.places.set(node, { place: to, change: number });
  }

  #afterPowerLoss(choose: Chooser, varies: (path: string) => boolean): SimulatedDisk {
    const found = new Map<SimulatedDirectory, DurableEntries>();
    const entriesOf = (directory: SimulatedDirectory): DurableEntries => {
      const entries = found.get(directory) ?? new Map(directory.durable);
      found.set(directory, entries);
      return entries;
    };
    const names: Names = { entriesOf, places: new Map(this.#durable.places) };
    for (const change of this.#changes) {
      if (choose(2) === 1) this.#apply(change, names);
    }
    const { clock, rangeLocks } = this;
    const after = new SimulatedDisk({ seed: this.#seed, clock, rangeLocks }, this.#boots + 1);
    after.#lastInode = this.#lastInode;
    const fill = (path: string, from: SimulatedDirectory, to: SimulatedDirectory): void => {
      for (const name of [...entriesOf(from).keys()].sort()) {
        const node = entriesOf(from).get(name)?.node;
        if (!node) continue;
        const place = path + sep + name;
        let copy: SimulatedNode = node;
        if (node.kind === 'file') {
          const bytes = varies(place) ? node.afterPowerLoss(choose) : node.content;
          copy = new SimulatedFile(node.inode, bytes);
        } else if (node.kind === 'directory') {
          copy = new SimulatedDirectory(node.inode);
          fill(place, node, copy);
        }
        after.#putDurably({ directory: to, name }, copy);
      }
    };
    fill('', this.#root, after.#root);
    if (this.freeBytes !== undefined) {
      after.freeBytes = Math.max(0, this.freeBytes + this.#usedBytes() - after.#usedBytes());
    }
    return after;
  }

  #putDurably(place: Place, node: SimulatedNode): void {
    place.directory.entries.set(place.name, node);
    place.directory.durable.set(place.name, { node, change: 0 });
    this.#durable.places.set(node, { place, change: 0 });
  }

  #usedBytes(): number {
    let bytes = 0;
    for (const [, node] of this.#walk()) if (node.kind === 'file') bytes += node.size;
    return bytes;
  }

  *#walk(path = '', directory = this.#root): Generator<[string, SimulatedNode]> {
    for (const name of [...directory.entries.keys()].sort()) {
      const node = directory.entries.get(name);
      if (!node) continue;
      yield [path + sep + name, node];
      if (node.kind === 'directory') yield* this.#walk(path + sep + name, node);
    }
  }
}
