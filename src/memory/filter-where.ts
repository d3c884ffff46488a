/**
 * Filters as conditions on the marks and numbers that the index of texts keeps of each text. They let pass whatever passes the filters, and perhaps a little
 * more: of a large member of metadata its name alone is a mark.
 */
import type { Where } from '../recall/document.js';
import { marked, memberMark, personaMark } from './filter-marks.js';
import { checkedTime, type Filters, isJson } from './filters.js';

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
  const ofMembers = members
    .filter(([, value]) => isJson(value))
    .map(([name, value]) => memberMark(name, value));
  for (const { mark } of ofMembers) marks.push(mark);
  const where = {
    marks,
    anyOf: anyTags && [anyTags.map((tag) => marked('tag', tag))],
    minImportance,
    since: since === undefined ? undefined : Date.parse(checkedTime(since, 'filters.since')),
    until: until === undefined ? undefined : Date.parse(checkedTime(until, 'filters.until')),
  };
  return { where, isWhole: ofMembers.length === members.length && ofMembers.every(isWhole) };
}

function isWhole(mark: { readonly isWhole: boolean }): boolean {
  return mark.isWhole;
}
