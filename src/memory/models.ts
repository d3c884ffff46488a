/** The models of a memory, on whatever they read from and write to. One line for each model in each list. */
import type { Access } from './access.js';
import { conversationsModel } from './conversation-state.js';
import { conversationTexts } from './conversation-texts.js';
import { Conversations } from './conversations.js';
import { episodeTexts } from './episode-texts.js';
import { Episodes, episodesModel } from './episodes.js';
import { Graph, graphModel } from './graph.js';
import { graphTexts } from './graph-texts.js';
import type { Meter } from './meter.js';
import type { ModelSettings } from './model.js';
import type { ModelDefinition } from './model-definition.js';
import { type Hit, Recalling, type RecallOptions, type RecallTextOptions } from './recall.js';
import { recordsModel } from './record-state.js';
import { recordTexts } from './record-texts.js';
import { Records } from './records.js';
import { siteTexts } from './site-texts.js';
import { Sites, sitesModel } from './sites.js';
import { skillTexts } from './skill-texts.js';
import { Skills, skillsModel } from './skills.js';
import { userTexts } from './user-texts.js';
import { Users, usersModel } from './users.js';

/** What the store is opened with, and how each model's states become texts that can be found. */
export const modelDefinitions: readonly ModelDefinition[] = [
  { ...recordsModel, recall: recordTexts },
  { ...conversationsModel, recall: conversationTexts },
  { ...episodesModel, recall: episodeTexts },
  { ...usersModel, recall: userTexts },
  { ...sitesModel, recall: siteTexts },
  { ...skillsModel, recall: skillTexts },
  { ...graphModel, recall: graphTexts },
];

/** Models that something can be found of. */
const recalled = modelDefinitions.flatMap(({ name, recall }) => (recall ? [name] : []));

/** The calls of all models, and those across them. */
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
  readonly #recalling: Recalling;
  readonly #meter: Meter;

  constructor(access: Access, settings: ModelSettings, meter: Meter) {
    this.records = new Records(access, settings, meter);
    this.conversations = new Conversations(access, settings, meter);
    this.episodes = new Episodes(access, settings, meter);
    this.users = new Users(access, settings, meter);
    this.sites = new Sites(access, settings, meter);
    this.skills = new Skills(access, settings, meter);
    this.graph = new Graph(access, settings, meter);
    this.#recalling = new Recalling(access, recalled);
    this.#meter = meter;
  }

  /**
   * The memories of all models that answer a question, best first, each with why it was found. What is expired, deleted or filtered out is not among them.
   *
   * @param query - in words
   * @throws TypeError, ModeUnavailableError
   */
  recall(query: string, options: RecallOptions = {}): Promise<readonly Hit[]> {
    return this.#meter.run('memory.recall', () => this.#recalling.recall(query, options));
  }

  /** {@link Models.recall}, at once. @throws ProjectionNotReadyError as well, while the index of an older store is still being built */
  recallSync(query: string, options: RecallOptions = {}): readonly Hit[] {
    return this.#meter.runSync('memory.recall', () => this.#recalling.recallSync(query, options));
  }

  /**
   * The same as text for a language model: one quotation to a line, each with what it is of, author and time, introduced as information that is not to be
   * obeyed. The empty text when nothing is found.
   */
  recallText(query: string, options: RecallTextOptions = {}): Promise<string> {
    return this.#meter.run('memory.recallText', () => this.#recalling.recallText(query, options));
  }

  /** {@link Models.recallText}, at once. */
  recallTextSync(query: string, options: RecallTextOptions = {}): string {
    return this.#meter.runSync('memory.recallText', () =>
      this.#recalling.recallTextSync(query, options),
    );
  }
}
