/** The models of a memory, on whatever they read from and write to. One line for each model in each list. */
import type { Access } from './access.js';
import { Episodes, episodesModel } from './episodes.js';
import type { Meter } from './meter.js';
import type { ModelDefinition, ModelSettings } from './model.js';
import { Users, usersModel } from './users.js';

/** What the store is opened with. */
export const modelDefinitions: readonly ModelDefinition[] = [episodesModel, usersModel];

/** The calls of all models. */
export class Models {
  readonly episodes: Episodes;
  readonly users: Users;

  constructor(access: Access, settings: ModelSettings, meter: Meter) {
    this.episodes = new Episodes(access, settings, meter);
    this.users = new Users(access, settings, meter);
  }
}
