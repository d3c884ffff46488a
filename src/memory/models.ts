/** The models of a memory, on whatever they read from and write to. One line for each model in each list. */
import type { Access } from './access.js';
import { conversationsModel } from './conversation-state.js';
import { Conversations } from './conversations.js';
import { Episodes, episodesModel } from './episodes.js';
import { Graph, graphModel } from './graph.js';
import type { Meter } from './meter.js';
import type { ModelDefinition, ModelSettings } from './model.js';
import { recordsModel } from './record-state.js';
import { Records } from './records.js';
import { Sites, sitesModel } from './sites.js';
import { Skills, skillsModel } from './skills.js';
import { Users, usersModel } from './users.js';

/** What the store is opened with. */
export const modelDefinitions: readonly ModelDefinition[] = [
  recordsModel,
  conversationsModel,
  episodesModel,
  usersModel,
  sitesModel,
  skillsModel,
  graphModel,
];

/** The calls of all models. */
export class Models {
  /** Keyed memories of any JSON value. */
  readonly records: Records;
  /** Working, short-term and long-term memory by conversation. */
  readonly conversations: Conversations;
  readonly episodes: Episodes;
  readonly users: Users;
  readonly sites: Sites;
  readonly skills: Skills;
  readonly graph: Graph;

  constructor(access: Access, settings: ModelSettings, meter: Meter) {
    this.records = new Records(access, settings, meter);
    this.conversations = new Conversations(access, settings, meter);
    this.episodes = new Episodes(access, settings, meter);
    this.users = new Users(access, settings, meter);
    this.sites = new Sites(access, settings, meter);
    this.skills = new Skills(access, settings, meter);
    this.graph = new Graph(access, settings, meter);
  }
}
