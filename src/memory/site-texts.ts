/** What is known of web sites as texts that can be found: each selector, quirk and action pattern on its own, and the site itself. */
import { NO_FACTS, type RecallModel, type RecallPart } from './recall-model.js';
import type { Known, Quirk, SiteState, Steps } from './site-state.js';
import { textOf } from './text.js';

/** Names of the parts, by which their authors are asked for. */
export const sitePart = {
  site: '',
  selector: (purpose: string): string => `selector:${purpose}`,
  quirk: (description: string): string => `quirk:${description}`,
  pattern: (taskType: string): string => `pattern:${taskType}`,
};

function sentence({ name, source }: RecallPart, host: string): string {
  if (name.startsWith('selector:')) {
    const known = source as Known<string>;
    const ways = known.candidates.map(({ value }) => value);
    return `selector for ${known.name} on ${host}: ${ways.join(', ')}`;
  }
  if (name.startsWith('pattern:')) {
    const known = source as Known<Steps>;
    const steps = (known.candidates[0]?.value ?? []).map(textOf);
    return `steps for ${known.name} on ${host}: ${steps.join(', ')}`;
  }
  const { description, workaround } = source as Quirk;
  const help = workaround === undefined ? '' : `; workaround: ${workaround}`;
  return `quirk of ${host}: ${description}${help}`;
}

export const siteTexts: RecallModel<SiteState> = {
  *parts(state) {
    // When it was last seen is said of the site itself.
    yield { name: sitePart.site, source: JSON.stringify([state.title, state.lastSeenAt]) };
    for (const each of Object.values(state.selectors))
      yield { name: sitePart.selector(each.name), source: each };
    for (const each of Object.values(state.quirks))
      yield { name: sitePart.quirk(each.description), source: each };
    for (const each of Object.values(state.patterns))
      yield { name: sitePart.pattern(each.name), source: each };
  },
  text(part, { title }, stream) {
    const host = stream.slice('sites/'.length);
    if (part.name !== sitePart.site) return { text: sentence(part, host) };
    return { text: title === undefined ? `site ${host}` : `site ${host}: ${title}` };
  },
  facts: ({ name, source }, { lastSeenAt }, stream) => {
    const known = { ...NO_FACTS, concerns: [stream] };
    if (name === sitePart.site) return { ...known, time: lastSeenAt };
    const { candidates, firstSeenAt = '' } = source as Partial<Known<unknown> & Quirk>;
    const used = (candidates ?? []).map(({ lastUsedAt = '' }) => lastUsedAt).sort();
    return { ...known, time: used.at(-1) ?? firstSeenAt };
  },
};
