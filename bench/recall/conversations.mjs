/**
 * Conversations of two people over many sessions, weeks apart, made from a seed, with questions about them. The words are made up of a small vocabulary, so
 * that the same topics come again in other sessions and from the other speaker; what makes such memories hard to find is in them on purpose:
 *
 * - `topic`: the answer does not repeat what was asked ("To Lisbon, with my brother." after "Where did you go for the choir festival?");
 * - `person`: both did the same, and each addresses the other by name;
 * - `time`: the same was spoken of often, and one turn says when;
 * - `date`: the question names a month, the turn says "last week";
 * - `session`: what the talk was about was said many turns before;
 * - `several`: what answers lies in several sessions;
 * - `latest`: what was so before is so no more;
 * - `important`: said twice, once as something to be remembered.
 */
import { Chance } from './chance.mjs';

/**
 * @typedef {{ id: string, text: string, session?: string, order?: number, speaker?: string, time?: string, importance?: number }} Document
 * @typedef {{ text: string, relevant: string[], category: string }} Query
 * @typedef {{ documents: Document[], queries: Query[] }} DataSet
 */

const NAMES =
  'Anna Bruno Clara David Elena Felix Greta Hugo Irene Jonas Katrin Leon Marta Nils Olga Pavel Rosa Simon Tessa Viktor'.split(
    ' ',
  );
const OCCASIONS = words(
  'choir festival, pottery workshop, chess tournament, climbing course, film premiere, garden show, jazz concert, language exam, marathon, photography trip, poetry reading, robotics fair, sailing lesson, ski camp, sourdough class, theatre rehearsal, wildlife survey, writing retreat, astronomy night, beekeeping course',
);
const PLACES = words(
  'Lisbon, Bergen, Kyoto, Turin, Porto, Ghent, Krakow, Malmo, Bilbao, Trieste, Aarhus, Leipzig, Galway, Nantes, Utrecht, Tartu, Graz, Split, Bath, Cadiz',
);
const THINGS = words(
  'tent, kayak, violin, telescope, sewing machine, bread oven, drone, easel, microscope, typewriter, unicycle, hammock, accordion, loom, lantern, binoculars, canoe, printer, blender, skateboard',
);
const PETS = words('beagle, parrot, tabby, hedgehog, tortoise, ferret, canary, pony');
const JOBS = words('nurse, carpenter, librarian, plumber, architect, baker, pilot, florist');
const DETAILS = words(
  'with my brother, with two colleagues, alone, with a neighbour, with my cousin, with an old friend',
);
const FEELINGS = words(
  'exhausting but worth it, calmer than expected, great fun, a bit chaotic, unforgettable, colder than I had hoped',
);
const RELATIVE = [
  { words: 'yesterday', days: -1 },
  { words: 'two days ago', days: -2 },
  { words: 'last week', days: -7 },
  { words: 'last weekend', days: -6 },
];
const CHATTER = [
  'Hey {other}! Good to hear from you. How are things?',
  'Wow, {other}, that sounds great!',
  'Thanks, {other}, that means a lot to me.',
  'I know what you mean. Work keeps me busy as well.',
  'That is so nice to hear, {other}.',
  'Haha, yes, that is just like you!',
  'I am glad that you are happy with it.',
  'You really have a talent for this, {other}.',
  'Take care, {other}. Talk to you soon!',
  'Sure, let us do that. I would love to.',
  'It rained here the whole day, so I stayed in and read.',
  'Nothing much, the usual. I cooked and watched a film.',
];

/** @param {string} list */
function words(list) {
  return list.split(', ');
}

const DAY_MS = 24 * 60 * 60 * 1000;
const MONTHS = words(
  'January, February, March, April, May, June, July, August, September, October, November, December',
);

/** One conversation as it grows. */
class Conversation {
  /** @type {Document[]} */
  documents = [];
  /** @type {Query[]} */
  queries = [];
  session = 0;
  start = 0;
  #order = 0;

  /**
   * @param {Chance} chance
   * @param {string} name
   * @param {readonly [string, string]} speakers
   */
  constructor(chance, name, speakers) {
    this.chance = chance;
    this.name = name;
    this.speakers = speakers;
  }

  /** @param {number} start - ms since 1970 */
  begin(start) {
    this.session += 1;
    this.start = start;
    this.#order = 0;
  }

  /**
   * @param {number} who
   * @param {string} text
   * @param {{ importance?: number }} [facts]
   * @returns {string} its id
   */
  say(who, text, facts = {}) {
    this.#order += 1;
    const id = `${this.name}:${this.session}:${this.#order}`;
    this.documents.push({
      id,
      text: text.replaceAll('{other}', this.nameOf(1 - who)),
      session: `${this.name}:${this.session}`,
      order: this.#order,
      speaker: this.nameOf(who),
      time: new Date(this.start + this.#order * 60_000).toISOString(),
      ...facts,
    });
    return id;
  }

  /** @param {number} turns */
  chat(turns) {
    let who = this.chance.whole(2);
    for (let at = 0; at < turns; at += 1) {
      this.say(who, this.chance.one(CHATTER));
      who = 1 - who;
    }
  }

  /**
   * @param {string} category
   * @param {string} text
   * @param {string[]} relevant
   */
  ask(category, text, relevant) {
    this.queries.push({ text, relevant, category });
  }

  /** @param {number} who */
  nameOf(who) {
    return /** @type {string} */ (this.speakers[who]);
  }
}

/**
 * What is spoken of, one at a time.
 * @type {((talk: Conversation, item: { occasion: string, place: string, thing: string, who: number }) => void)[]}
 */
const EXCHANGES = [
  // topic: an answer without the words of the question.
  (talk, { occasion, place, who }) => {
    talk.say(1 - who, `Where did you go for the ${occasion} in the end?`);
    const answer = talk.say(
      who,
      `To ${place}, ${talk.chance.one(DETAILS)}. It was ${talk.chance.one(FEELINGS)}.`,
    );
    talk.say(1 - who, `I would like to see that some day, {other}.`);
    talk.ask('topic', `Where did ${talk.nameOf(who)} go for the ${occasion}?`, [answer]);
  },
  // person: both did it, each speaks to the other by name.
  (talk, { occasion, place, who }) => {
    const mine = talk.say(who, `I signed up for a ${occasion} near ${place}, {other}.`);
    talk.chat(3);
    talk.say(1 - who, `{other}, I signed up for a ${occasion} too, close to home.`);
    talk.ask('person', `Which ${occasion} did ${talk.nameOf(who)} sign up for?`, [mine]);
  },
  // time: one of several turns about it says when.
  (talk, { thing, who }) => {
    talk.say(who, `I keep thinking about a ${thing}. I want to buy one.`);
    talk.chat(4);
    const when = talk.say(who, `So I bought the ${thing} ${talk.chance.one(RELATIVE).words}.`);
    talk.chat(4);
    talk.say(who, `The ${thing} I bought is wonderful, I use it a lot.`);
    talk.ask('time', `When did ${talk.nameOf(who)} buy the ${thing}?`, [when]);
  },
  // session: what it was about was said long before.
  (talk, { occasion, place, who }) => {
    talk.say(who, `Let me tell you about the ${occasion}, {other}.`);
    talk.say(1 - who, 'Yes, please!');
    talk.say(who, 'There were twelve of us in one room.');
    talk.chat(4);
    const teacher = talk.say(who, `The teacher came from ${place}.`);
    talk.chat(2);
    talk.ask('session', `Where did the teacher of the ${occasion} come from?`, [teacher]);
  },
  // important: the same words, once as something to keep.
  (talk, { place, thing, who }) => {
    talk.say(who, `The spare key for the ${thing} is at the office in ${place}.`);
    talk.chat(5);
    const kept = talk.say(who, `The spare key for the ${thing} is at the office in ${place}.`, {
      importance: 1,
    });
    talk.chat(2);
    talk.say(who, `The spare key for the ${thing} is at the office in ${place}.`);
    talk.ask('important', `Where is the spare key for the ${thing}?`, [kept]);
  },
];

/**
 * What is asked across sessions, prepared before they take place.
 * @param {Conversation} talk
 * @param {number} sessions
 */
function threads(talk, sessions) {
  /** @type {Map<number, (() => void)[]>} */
  const planned = new Map();
  /** @param {number} session @param {() => void} say */
  const plan = (session, say) => planned.set(session, [...(planned.get(session) ?? []), say]);
  /** @type {(() => void)[]} */
  const questions = [];

  for (const who of [0, 1]) {
    const pets = talk.chance.shuffled(PETS).slice(0, 3);
    const places = talk.chance.shuffled(range(sessions));
    /** @type {string[]} */
    const adopted = [];
    for (const [at, pet] of pets.entries()) {
      plan(places[at] ?? 0, () => {
        adopted.push(talk.say(who, `We adopted a ${pet}, imagine that!`));
        talk.say(1 - who, `A ${pet}! Congratulations, {other}.`);
      });
    }
    questions.push(() =>
      talk.ask('several', `Which animals did ${talk.nameOf(who)} adopt?`, adopted),
    );

    const jobs = talk.chance.shuffled(JOBS).slice(0, 3);
    const order = talk.chance
      .shuffled(range(sessions))
      .slice(0, 3)
      .sort((a, b) => a - b);
    let last = '';
    for (const [at, job] of jobs.entries()) {
      plan(order[at] ?? 0, () => {
        talk.say(who, 'Now to something else.');
        talk.say(1 - who, 'Tell me.');
        last = talk.say(who, `I earn my money as a ${job}.`);
        talk.say(1 - who, 'I see.');
        talk.say(who, 'So much for that.');
      });
    }
    questions.push(() => talk.ask('latest', `How does ${talk.nameOf(who)} earn money?`, [last]));
  }
  return { planned, questions };
}

/** @param {number} count */
function range(count) {
  return Array.from({ length: count }, (_, at) => at);
}

/**
 * @param {Conversation} talk
 * @param {string} occasion
 * @param {number} who
 */
function dated(talk, occasion, who) {
  const { words: phrase, days } = talk.chance.one(RELATIVE);
  const then = new Date(talk.start + days * DAY_MS);
  const id = talk.say(who, `I went to the ${occasion} ${phrase}, it was fun.`);
  const month = `${MONTHS[then.getUTCMonth()]} ${then.getUTCFullYear()}`;
  talk.chat(2);
  return { id, month };
}

/**
 * @param {number} seed
 * @param {{ conversations?: number, sessions?: number }} [size]
 * @returns {DataSet}
 */
export function conversationsOf(seed, { conversations = 3, sessions = 12 } = {}) {
  const chance = new Chance(seed);
  const names = chance.shuffled(NAMES);
  /** @type {DataSet} */
  const all = { documents: [], queries: [] };
  for (let number = 0; number < conversations; number += 1) {
    const pair = /** @type {[string, string]} */ (names.slice(2 * number, 2 * number + 2));
    const talk = new Conversation(chance, `c${number + 1}`, pair);
    hold(talk, sessions);
    all.documents.push(...talk.documents);
    all.queries.push(...talk.queries);
  }
  return all;
}

/**
 * @param {Conversation} talk
 * @param {number} sessions
 */
function hold(talk, sessions) {
  const { chance } = talk;
  const { planned, questions } = threads(talk, sessions);
  const items = EXCHANGES.map(() => ({
    occasions: chance.shuffled(OCCASIONS),
    things: chance.shuffled(THINGS),
  }));
  const monthly = chance.one(OCCASIONS);
  /** @type {Map<string, string[]>} */
  const months = new Map();
  let start = Date.UTC(2024, chance.whole(6), 1 + chance.whole(27), 17);
  for (let session = 0; session < sessions; session += 1) {
    talk.begin(start);
    talk.chat(2 + chance.whole(3));
    for (const [kind, exchange] of EXCHANGES.entries()) {
      if (chance.number() < 0.5) continue;
      exchange(talk, {
        occasion: items[kind]?.occasions[session % OCCASIONS.length] ?? '',
        thing: items[kind]?.things[session % THINGS.length] ?? '',
        place: chance.one(PLACES),
        who: chance.whole(2),
      });
      talk.chat(1 + chance.whole(4));
    }
    for (const say of planned.get(session) ?? []) say();
    const { id, month } = dated(talk, monthly, 0);
    months.set(month, [...(months.get(month) ?? []), id]);
    talk.chat(2);
    start += (10 + chance.whole(20)) * DAY_MS;
  }
  for (const [month, ids] of months) {
    talk.ask('date', `When in ${month} did ${talk.nameOf(0)} go to the ${monthly}?`, ids);
  }
  for (const question of questions) question();
}
