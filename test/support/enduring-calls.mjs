/** What each numbered call of an agent in a long run does, and how to tell afterwards that it was done once. */

const TOPICS = ['harbour', 'violin', 'glacier', 'orchard', 'lantern', 'compass', 'meadow', 'ferry'];

/** @typedef {import('#src/index.js').Memory} Memory */

/**
 * @typedef {object} Outcome
 * @property {number | null} position
 * @property {boolean} repeated
 */

/**
 * @typedef {object} Call
 * @property {string} key its idempotency key
 * @property {'shared' | 'own' | 'user' | 'episode' | 'conversation'} kind
 * @property {string} target the key, user, session or conversation that it is about
 * @property {string} text
 * @property {string} question finds it, or something like it
 * @property {(memory: Memory) => Promise<Outcome>} carryOut
 * @property {(memory: Memory) => Promise<string | undefined>} problem what is wrong with what it left, as its own agent sees it
 */

const KINDS = /** @type {const} */ (['shared', 'user', 'episode', 'own', 'conversation']);

/**
 * @param {string} agent
 * @param {number} number
 * @returns {Call}
 */
export function callOf(agent, number) {
  const key = `${agent}/${number}`;
  const kind = KINDS[number % KINDS.length] ?? 'own';
  const topic = TOPICS[(number >> 3) % TOPICS.length] ?? '';
  const text = `${agent} saw the ${topic} for the ${number}th time`;
  const write = { idempotencyKey: key, reason: `call ${number}` };
  /** @param {{ position: number, repeated: boolean }} written */
  const outcome = ({ position, repeated }) => ({ position, repeated });
  const none = { position: null, repeated: false };
  const value = { agent, number, text };
  const common = { key, kind, text, question: `who saw the ${topic}?` };
  switch (kind) {
    case 'shared': {
      const target = `shared/${number % 40}`;
      return {
        ...common,
        target,
        carryOut: async (memory) => outcome(await memory.records.store(target, value, {}, write)),
        problem: async (memory) =>
          (await memory.records.get(target)) ? undefined : `${target} is gone`,
      };
    }
    case 'own': {
      const target = `${agent}/${number}`;
      return {
        ...common,
        target,
        carryOut: async (memory) => outcome(await memory.records.store(target, value, {}, write)),
        problem: async (memory) => {
          const stored = /** @type {{ number?: number } | undefined} */ (
            (await memory.records.get(target))?.value
          );
          return stored?.number === number ? undefined : `${target} is ${JSON.stringify(stored)}`;
        },
      };
    }
    case 'user': {
      const target = `user-${number % 20}`;
      return {
        ...common,
        target,
        carryOut: async (memory) => {
          await memory.users.updateContext(target, { message: text, response: 'noted' }, write);
          return none;
        },
        problem: async (memory) => {
          const { conversationsCount } = await memory.users.getContext(target);
          return conversationsCount > 0 ? undefined : `${target} was never spoken to`;
        },
      };
    }
    case 'episode': {
      const target = `${agent}-${number >> 6}`;
      return {
        ...common,
        target,
        carryOut: async (memory) =>
          outcome(await memory.episodes.record({ text, session: target, speaker: agent }, write)),
        problem: async () => undefined,
      };
    }
    default: {
      const target = `${agent}-${number % 15}`;
      return {
        ...common,
        target,
        carryOut: async (memory) => {
          await memory.conversations.store(
            { conversationId: target, memoryType: 'long-term', data: [text] },
            write,
          );
          return none;
        },
        problem: async () => undefined,
      };
    }
  }
}
