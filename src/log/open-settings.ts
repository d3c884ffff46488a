/** What opening a store is told, and what it gives. */
import type { CreateOptions } from './create.js';
import type { Paths } from './paths.js';
import type { Place } from './place.js';
import type { Section } from './section.js';
import type { StoreFacts } from './store-file.js';
import type { Recovery } from './types.js';

export interface OpenSettings {
  readonly paths: Paths;
  readonly create: CreateOptions | undefined;
  readonly readOnly: boolean;
  readonly lockTimeoutMs: number;
  readonly segmentBytes: number;
  readonly label: string;
  readonly allowSharedDirectory: boolean;
  readonly allowFileSystem: boolean;
}

/** What opening gives: the store's facts, its open lock file, and the end of its log. */
export interface Found {
  readonly store: StoreFacts;
  readonly lockFile: number;
  readonly lockInode: number;
  /** Absent when opened for reading. */
  readonly section: Section | undefined;
  readonly place: Place;
  readonly recovery: Recovery;
}

export interface OpenFiles {
  readonly store: StoreFacts;
  readonly lockFile: number;
  readonly lockInode: number;
}
