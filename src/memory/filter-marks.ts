/**
 * Filters as conditions on the marks and numbers that the index of texts keeps of each text, so that it need not ask for the facts of each. They let pass
 * whatever passes the filters, and perhaps a little more: of a large member of metadata its name alone is a mark.
 */
import type { Where } from '../recall/document.js';
import { checkedTime, type Filters } from './filters.js';
import type { RecallFacts } from './recall-model.js';

/** Larger values in metadata are looked at one by one. In UTF-16 code units, as JSON. */
const VALUE_CHARACTERS_MAX = 1024;
/** What a filter by the kind of thing asks for. */
function marked(kind: string, value: string): string {
  return `${kind}\u0000${value}`;
}

export function modelMark(model: string): string {
  return marked('model', model);
}

/** Of a text that concerns a key, such as `users/anna`. */
export function concernMark(key: string): string {
  return marked('concerns', key);
}

/** Of a text without a persona: the empty text. */
export function personaMark(persona: string | undefined): string {
  return marked('persona', persona ?? '');
}

/** The marks of a text. */
export function marksOf(model: string, facts: RecallFacts): string[] {
  const { tags, section, actor, session, metadata, concerns = [] } = facts;
  const marks = [modelMark(model), personaMark(facts.persona)];
  for (const tag of tags) marks.push(marked('tag', tag));
  if (section !== undefined) marks.push(marked('section', section));
  if (actor !== undefined) marks.push(marked('actor', actor));
  if (session !== undefined) marks.push(marked('session', session));
  for (const key of concerns) marks.push(concernMark(key));
  for (const [name, value] of Object.entries(metadata)) marks.push(memberMark(name, value).mark);
  return marks;
}

/** Filters, checked already, as conditions. `isWhole`: these say all that the filters say. */
export function whereOf(filters: Filters): { readonly where: Where; readonly isWhole: boolean } {
  const { tags = [], anyTags, section, persona, actor, session, metadata = {} } = filters;
  const { minImportance, since, until } = filters;
  const marks = tags.map((tag) => marked('tag', tag));
  if (section !== undefined) marks.push(marked('section', section));
  if (persona !== undefined) marks.push(personaMark(persona));
  if (actor !== undefined) marks.push(marked('actor', actor));
  if (session !== undefined) marks.push(marked('session', session));
  const members = Object.entries(metadata).filter(([, value]) => value !== undefined);
  const json = members.filter(([, value]) => isJson(value));
  const ofMembers = json.map(([name, value]) => memberMark(name, value));
  for (const { mark } of ofMembers) marks.push(mark);
  const where = {
    marks,
    anyOf: anyTags && [anyTags.map((tag) => marked('tag', tag))],
    minImportance,
    since: since === undefined ? undefined : Date.parse(checkedTime(since, 'filters.since')),
    until: until === undefined ? undefined : Date.parse(checkedTime(until, 'filters.until')),
  };
  return { where, isWhole: json.length === members.length && ofMembers.every(isWhole) };
}

function isWhole(mark: { readonly isWhole: boolean }): boolean {
  return mark.isWhole;
}

/** A member of metadata: with its value where that is small, by its name otherwise. */
function memberMark(name: string, value: unknown) {
  const text = JSON.stringify([name, ordered(value)]);
  const isSmall = text.length <= name.length + VALUE_CHARACTERS_MAX;
  return { mark: marked('metadata', isSmall ? text : JSON.stringify([name])), isWhole: isSmall };
}

/** With the members of objects in an order that only their names give. */
function ordered(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(ordered);
  const members = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return members.map(([name, member]) => [name, ordered(member)]);
}

/** What metadata can hold; whatever else is asked for is told by the filter itself. */
function isJson(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value !== 'object' || value === null) {
    return value === null || typeof value === 'string' || typeof value === 'boolean';
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  const isPlain = Array.isArray(value) || prototype === Object.prototype || prototype === null;
  return isPlain && Object.values(value).every(isJson);
}
