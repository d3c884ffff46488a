/** Marks of texts, by which the index of texts filters them without asking for the facts of each. */
import type { RecallFacts } from './recall-model.js';

/** Larger values in metadata are looked at one by one. In UTF-16 code units, as JSON. */
const VALUE_CHARACTERS_MAX = 1024;
/** What a filter by the kind of thing asks for. */
export function marked(kind: string, value: string): string {
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

/** The marks of a text. @param actor - who changed it last */
export function marksOf(model: string, facts: RecallFacts, actor: string | undefined): string[] {
  const { tags, section, session, metadata, concerns = [] } = facts;
  const marks = [modelMark(model), personaMark(facts.persona)];
  for (const tag of tags) marks.push(marked('tag', tag));
  if (section !== undefined) marks.push(marked('section', section));
  if (actor !== undefined) marks.push(marked('actor', actor));
  if (session !== undefined) marks.push(marked('session', session));
  for (const key of concerns) marks.push(concernMark(key));
  for (const [name, value] of Object.entries(metadata)) marks.push(memberMark(name, value).mark);
  return marks;
}

/** A member of metadata: with its value where that is small, by its name otherwise. */
export function memberMark(
  name: string,
  value: unknown,
): { readonly mark: string; readonly isWhole: boolean } {
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
