/** A model as the memory takes it in. */
import type { Events, Projection } from '../store.js';
import type { RecallModel } from './recall-model.js';

/** What undoes an event of a type: an event of this type that holds patches of the state, or nothing does. */
export type Opposites = Readonly<Record<string, string | undefined>>;

/** A model as the memory takes it in: what it stores and how it is folded. */
export interface ModelDefinition {
  /** The category of its streams, such as `records`. */
  readonly name: string;
  readonly events: Events;
  /** Keyed by stream. */
  readonly projection: Projection;
  /** Every event type of the model. */
  readonly opposites: Opposites;
  /** JSON pointers of what every event changes, such as `/updatedAt`: two events that change nothing else in common do not stand in each other's way. */
  readonly bookkeeping: readonly string[];
  /**
   * True: each event adds to a state of which the initial one knows nothing, so that the event that began a key can be taken back from under those that came
   * later, like any other. Left out, the first event makes the whole state, and stands or falls with it.
   */
  readonly additive?: boolean;
  /** How its states become texts that can be found; left out, nothing of it is. */
  readonly recall?: RecallModel;
  /** When each item of a state expires, ISO 8601; undefined for never. Left out, a state is one item that never does. */
  expiries?(state: unknown): readonly (string | undefined)[];
}
