/** Episodes as texts that can be found. */
import type { Episode } from './episodes.js';
import { NO_FACTS, oneText, type RecallModel } from './recall-model.js';

export const episodeTexts: RecallModel<Episode | null> = {
  parts: (episode) => (episode === null ? [] : oneText(episode)),
  text({ source }) {
    const { text, response, session, speaker } = source as Episode;
    return { text: response === undefined ? text : `${text}\n${response}`, session, speaker };
  },
  facts({ source }) {
    const { tags, actor, session, at, metadata, participants } = source as Episode;
    const { importance } = metadata;
    return {
      ...NO_FACTS,
      tags,
      actor,
      session,
      // When it happened, not when it was written down.
      time: at,
      metadata,
      concerns: participants.map((name) => `users/${name}`),
      importance: typeof importance === 'number' ? importance : undefined,
    };
  },
};
