/** What the main job keeps beside its notes: how far each writer has come, and a tally that all of them raise by transactions. */
import { defineEvents, defineProjection, event } from '#src/index.js';

/** @typedef {{ writer: string, number: number }} Told */

export const events = defineEvents({
  'note.taken': /** @type {typeof event<Told & { text: string }>} */ (event)(),
  'note.signed': /** @type {typeof event<Told>} */ (event)(),
  'tally.raised': /** @type {typeof event<Told>} */ (event)(),
});

/** By writer, not by stream: notes of a writer stand in many streams. */
export const progress = defineProjection({
  name: 'progress',
  version: 1,
  events,
  initial: { notes: 0, sum: 0 },
  key: (told) => told.data.writer,
  on: {
    'note.taken': (draft, { data }) => {
      draft.notes += 1;
      draft.sum += data.number;
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

export const options = { events, projections: [progress, tally] };
