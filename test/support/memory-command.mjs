/** One command on a model, as JSON, and how it is carried out. */

/**
 * @typedef {object} MemoryCommand
 * @property {'records' | 'users' | 'sites' | 'skills' | 'graph'} model
 * @property {string} operation
 * @property {readonly unknown[]} given where a function is wanted, the name of the member that it adds one to
 * @property {boolean} [sync]
 */

const CHANGING = ['changeContext', 'update'];

/** @param {string} name */
function counting(name) {
  return (
    /** @type {{ preferences?: Record<string, unknown> } & Record<string, unknown>} */ draft,
  ) => {
    const members = draft.preferences ?? draft;
    members[name] = Number(members[name] ?? 0) + 1;
  };
}

/**
 * @param {import('#src/index.js').Memory} memory
 * @param {MemoryCommand} command
 * @param {object} options
 * @returns {unknown}
 */
export function carryOut(memory, { model, operation, given, sync }, options) {
  const isChange = CHANGING.includes(operation) && (model === 'users' || model === 'records');
  const [key, name] = given;
  const all = isChange ? [key, counting(String(name))] : given;
  const calls = /** @type {Record<string, (...given: unknown[]) => unknown>} */ (
    /** @type {unknown} */ (memory[model])
  );
  return calls[sync ? `${operation}Sync` : operation]?.(...all, options);
}
