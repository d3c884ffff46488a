/** `recollect/testing`: what tests of programs that use a store need, whatever runs them. */
export { type SettableClock, settableClock } from './testing/clock.js';
export { type MemoryStore, type MemoryStoreSettings, memoryStore } from './testing/memory-store.js';
export {
  type ExpectedError,
  type GivenDecision,
  type GivenDecisionOptions,
  type GivenStore,
  given,
  type StreamEvents,
  type WhenDecided,
  type WhenRun,
} from './testing/scenario.js';
