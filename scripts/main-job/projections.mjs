/** What the main job keeps beside the models: who said how much, folded of the models' events, and a tally that all agents raise by transactions. */
import { defineEvents, defineProjection, event } from '#src/index.js';

export const events = defineEvents({
  'tally.raised': /** @type {typeof event<{ agent: string, number: number }>} */ (event)(),
});

/** All agents visit it, each time that they raise the tally. */
export const visitedSite = 'https://tally.example';

/** By speaker, not by stream: each episode stands in a stream of its own. */
export const spoken = defineProjection({
  name: 'spoken',
  version: 1,
  initial: { episodes: 0, characters: 0 },
  key: ({ data }) => speakerOf(data),
  on: {
    'episode.recorded': (draft, { data }) => {
      draft.episodes += 1;
      draft.characters += textOf(data).length;
    },
  },
});

export const tally = defineProjection({
  name: 'tally',
  version: 1,
  events,
  initial: { raised: 0 },
  on: {
    'tally.raised': (draft) => {
      draft.raised += 1;
    },
  },
});

/** @param {unknown} data */
export function speakerOf(data) {
  const { speaker } = /** @type {{ speaker?: string }} */ (data);
  return speaker ?? 'nobody';
}

/** @param {unknown} data */
export function textOf(data) {
  return /** @type {{ text: string }} */ (data).text;
}

/** Small segments, so that there is something to compact within seconds. */
export const options = { events, projections: [spoken, tally], segmentBytes: 32 * 1024 };
