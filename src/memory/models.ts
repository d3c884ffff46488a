/** The models of a memory, on whatever they read from and write to. One line for each model in each list. */
import type { Access } from './access.js';
import type { Meter } from './meter.js';
import type { ModelDefinition, ModelSettings } from './model.js';

/** What the store is opened with. */
export const modelDefinitions: readonly ModelDefinition[] = [];

/** The calls of all models. */
export class Models {
  constructor(_access: Access, _settings: ModelSettings, _meter: Meter) {}
}
