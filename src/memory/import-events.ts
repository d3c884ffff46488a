/**
 * How far imports have come, as src/importers/ writes it down. Every memory declares these events, so that it takes them; they belong to no model.
 */
import { defineEvents, type Events, type EventToken, event } from '../store.js';

/** Stands in the same commit as what was imported. */
export interface ImportMark {
  /** What is imported, as its importer calls it, and how. */
  readonly source: string;
  readonly format: string;
  /** From 1: how often it was begun from its beginning. */
  readonly run: number;
  /** Items of the source, or of one importer's part of it, that the import is done with. */
  readonly items: number;
  /** Those of them that were written, and not known from an earlier run. */
  readonly imported: number;
  /** Of the source, about. */
  readonly bytes: number;
  /** SHA-256 of the digests of all items so far: the source must still begin like this when the import goes on. */
  readonly digest: string;
  /** Digests of the items that this commit brought, 16 hexadecimal digits each. */
  readonly keys?: string;
  /** Of a git history: the commits that this run is about. */
  readonly from?: string;
  readonly to?: string;
}

const advanced: EventToken<ImportMark> = event<ImportMark>();
/** The source had ended. */
const finished: EventToken<ImportMark> = event<ImportMark>();

export const importEvents: Events<{
  'import.advanced': EventToken<ImportMark>;
  'import.finished': EventToken<ImportMark>;
}> = defineEvents({ 'import.advanced': advanced, 'import.finished': finished });
