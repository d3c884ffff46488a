/** What is known of users as texts that can be found: what was remembered, each text on its own, and preferences with topics. */
import { NO_FACTS, type RecallModel } from './recall-model.js';
import { textOf } from './text.js';
import type { UserContext } from './users.js';

interface UserTexts {
  readonly context: UserContext;
  readonly memories: Readonly<Record<string, { readonly text: string; readonly at: string }>>;
}

const CONTEXT = '';

function nameOf(stream: string): string {
  return stream.slice('users/'.length);
}

function preferencesOf({ preferences, topics }: UserContext): string {
  const known = Object.entries(preferences).map(([name, value]) => `${name}: ${textOf(value)}`);
  return [...known, ...(topics.length > 0 ? [`topics: ${topics.join(', ')}`] : [])].join('; ');
}

export const userTexts: RecallModel<UserTexts> = {
  *parts({ context, memories }) {
    const text = preferencesOf(context);
    if (text !== '') yield { name: CONTEXT, source: text };
    for (const [name, source] of Object.entries(memories)) yield { name, source };
  },
  text: ({ name, source }, _, stream) => ({
    title: nameOf(stream),
    text: name === CONTEXT ? (source as string) : (source as { readonly text: string }).text,
  }),
  facts: ({ name, source }, _, stream) => ({
    ...NO_FACTS,
    concerns: [stream],
    time: name === CONTEXT ? '' : (source as { readonly at: string }).at,
  }),
};
