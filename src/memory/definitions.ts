/** The models' definitions one by one, for programs that need one of them and must start fast. */
import type { ModelDefinition } from './model-definition.js';

const LOADERS: Readonly<Record<string, () => Promise<ModelDefinition>>> = {
  records: async () => (await import('./record-state.js')).recordsModel,
  conversations: async () => (await import('./conversation-state.js')).conversationsModel,
  episodes: async () => (await import('./episodes.js')).episodesModel,
  users: async () => (await import('./users.js')).usersModel,
  sites: async () => (await import('./sites.js')).sitesModel,
  skills: async () => (await import('./skills.js')).skillsModel,
  graph: async () => (await import('./graph.js')).graphModel,
};

/** Names of all models, which are the categories of their streams. */
export const MODEL_NAMES: readonly string[] = Object.keys(LOADERS);

/** The model of that name; undefined when there is none. */
export async function modelNamed(name: string): Promise<ModelDefinition | undefined> {
  return Object.hasOwn(LOADERS, name) ? await LOADERS[name]?.() : undefined;
}
