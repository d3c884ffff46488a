/** The models of a memory, on whatever they read from and write to. One line for each model in each list. */
import type { Access } from './access.js';
import { conversationsModel } from './conversation-state.js';
import { Conversations } from './conversations.js';
import type { Meter } from './meter.js';
import type { ModelDefinition, ModelSettings } from './model.js';
import { recordsModel } from './record-state.js';
import { Records } from './records.js';

/** What the store is opened with. */
export const modelDefinitions: readonly ModelDefinition[] = [recordsModel, conversationsModel];

/** The calls of all models. */
export class Models {
  /** Keyed memories of any JSON value. */
  readonly records: Records;
  /** Working, short-term and long-term memory by conversation. */
  readonly conversations: Conversations;

  constructor(access: Access, settings: ModelSettings, meter: Meter) {
    this.records = new Records(access, settings, meter);
    this.conversations = new Conversations(access, settings, meter);
  }
}
