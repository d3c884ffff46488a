/** Records as texts that can be found. */
import { oneText, type RecallModel } from './recall-model.js';
import { isOver, type RecordState } from './record-state.js';
import { factsOf } from './record-view.js';
import { textOf } from './text.js';

/** A result is of no use without its task. */
export function contentOf({ task, value }: RecordState): string {
  return task === undefined ? textOf(value) : `${task}: ${textOf(value)}`;
}

/** A key as its words are spoken: `user:homeTown` is two things. */
export function spoken(name: string): string {
  return name.replace(/(?<=\p{Ll})(?=\p{Lu})/gu, ' ').replaceAll('_', ' ');
}

export const recordTexts: RecallModel<RecordState> = {
  parts: oneText,
  text: (_, state, stream) => ({
    // The key of a result is an id.
    title: state.task ?? spoken(stream.slice('records/'.length)),
    text: textOf(state.value),
  }),
  facts: (_, state) => ({
    ...factsOf(state),
    position: state.position,
  }),
  endOf: ({ source }) => (source as RecordState).expiresAt,
  isOver: (_, state, now) => isOver(state.expiresAt, now),
  shown: (_, state) => contentOf(state),
  value: (_, state) => state.value,
};
