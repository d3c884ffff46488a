/** What each of several processes does to one memory: known from writer and number alone, so that a test can do it again by hand. */

/**
 * @typedef {{ do: 'store', key: string, count: number }} Store
 * @typedef {{ do: 'storeMany', keys: string[], count: number }} StoreMany
 * @typedef {{ do: 'update', key: string }} Update
 * @typedef {{ do: 'delete', key: string }} Delete
 * @typedef {{ do: 'say', text: string }} Say
 * @typedef {{ do: 'rephrase', text: string }} Rephrase the item that all processes know
 * @typedef {{ do: 'unsay', earlier: number, text: string }} Unsay the own item of an earlier number
 * @typedef {Store | StoreMany | Update | Delete | Say | Rephrase | Unsay} MemoryCommand
 */

export const SHARED = /** @type {const} */ ({ conversationId: 'all', memoryType: 'long-term' });
const KEYS = ['a', 'b', '__proto__', 'ü/ü'];

/**
 * @param {string} writer
 * @param {number} number
 * @returns {MemoryCommand}
 */
export function memoryCommand(writer, number) {
  const chance = hashOf(`${writer}/${number}`);
  const key = KEYS[chance % KEYS.length] ?? 'a';
  const other = KEYS[(chance + 1) % KEYS.length] ?? 'b';
  const count = (chance >>> 8) % 5;
  const text = `${writer}-${number}`;
  switch ((chance >>> 16) % 12) {
    case 0:
      return { do: 'store', key, count };
    case 1:
      return { do: 'storeMany', keys: [key, other], count };
    case 2:
      return { do: 'delete', key };
    case 3:
    case 4:
      return { do: 'rephrase', text };
    case 5:
    case 6:
    case 7:
      return { do: 'say', text };
    case 8: {
      const earlier = number - 20;
      if (earlier < 0 || memoryCommand(writer, earlier).do !== 'say') return { do: 'say', text };
      return { do: 'unsay', earlier, text: `${writer}-${earlier}` };
    }
    default:
      return { do: 'update', key };
  }
}

/** @param {string} text */
function hashOf(text) {
  let hash = 2166136261;
  for (const character of text) hash = Math.imul(hash ^ character.charCodeAt(0), 16777619);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 2246822519);
  return (hash ^ (hash >>> 13)) >>> 0;
}
