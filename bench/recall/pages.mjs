/**
 * Long documents without speakers, sessions or times, made from a seed, with questions about them: on these the parts for conversations have nothing to say. They ask
 * and tell dates as any text does.
 */
import { Chance } from './chance.mjs';

const SYLLABLES = 'ba ce di fo gu ha je ki lo mu na pe ri so tu va we xi yo zu'.split(' ');
const JOINS = 'and of the in to with for on by from that which is was'.split(' ');
const DATED = [
  'When does it end? In March 2024, as was decided last week.',
  'Who pays for that? On 4 May 2023 nobody knew.',
  'Yesterday it was another one.',
];

/** Words of a made-up language, those in front far more often. @param {Chance} chance */
function vocabularyOf(chance) {
  const words = new Set();
  while (words.size < 2000) {
    words.add(Array.from({ length: 2 + chance.whole(3) }, () => chance.one(SYLLABLES)).join(''));
  }
  return /** @type {string[]} */ ([...words]);
}

/**
 * @param {number} seed
 * @param {{ documents?: number, queries?: number }} [size]
 * @returns {import('./conversations.mjs').DataSet}
 */
export function pagesOf(seed, { documents = 300, queries = 60 } = {}) {
  const chance = new Chance(seed);
  const vocabulary = vocabularyOf(chance);
  const word = () =>
    /** @type {string} */ (vocabulary[Math.floor(vocabulary.length ** chance.number()) - 1]);
  const pages = Array.from({ length: documents }, (_, number) => {
    const subject = Array.from({ length: 6 }, () => chance.one(vocabulary));
    const sentences = Array.from({ length: 12 + chance.whole(30) }, () =>
      sentence(chance, word, subject),
    );
    return { id: `page-${number + 1}`, text: sentences.join(' '), subject };
  });
  const asked = chance.shuffled(pages).slice(0, queries);
  return {
    documents: pages.map(({ id, text }) => ({ id, text })),
    queries: asked.map(({ id, subject }) => ({
      text: `When is the ${chance.shuffled(subject).slice(0, 3).join(' ')} in March 2024?`,
      relevant: [id],
      category: 'page',
    })),
  };
}

/**
 * @param {Chance} chance
 * @param {() => string} word
 * @param {readonly string[]} subject
 */
function sentence(chance, word, subject) {
  if (chance.number() < 0.1) return chance.one(DATED);
  const words = Array.from({ length: 6 + chance.whole(10) }, () => {
    const kind = chance.number();
    if (kind < 0.3) return chance.one(JOINS);
    return kind < 0.4 ? chance.one(subject) : word();
  });
  const text = words.join(' ');
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${chance.number() < 0.1 ? '?' : '.'}`;
}
