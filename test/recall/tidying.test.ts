/** An index out of which much was deleted is written anew a little at each change, and answers meanwhile as one into which the documents were put afresh. */
import { expect, test } from 'vitest';
import type { RecallDocument } from '#src/recall/document.js';
import { RecallIndex } from '#src/recall/recall-index.js';
import { SeededRandom } from '../support/random.js';

const WORDS = 'boat harbour violin tea anna bert lisbon paint yesterday shelf parcel'.split(' ');
const QUESTIONS = ['boat in the harbour', 'When did Anna paint?', 'baot', 'tea of Speaker 3'];
const IDS = 1500;
const randomOf = (seed: number) => new SeededRandom(seed).fraction;

function documentOf(number: number, random: () => number): RecallDocument {
  const word = () => WORDS[Math.floor(random() * WORDS.length)] as string;
  return {
    id: `d${number}`,
    text: `${word()} ${word()} ${word()} word${Math.floor(random() * 5000)}`,
    session: `s${number % 40}`,
    speaker: `Speaker ${number % 7}`,
    life: `life${number % 50}`,
    time: Math.floor(random() * 1e6),
    marks: number % 3 === 0 ? ['third'] : [],
  };
}

/** An index, and what must be in it. */
class Twin {
  readonly index = new RecallIndex('english');
  readonly documents = new Map<string, RecallDocument>();
  readonly ends = new Map<string, number>();
  readonly random = randomOf(7);

  change(): void {
    const number = Math.floor(this.random() * IDS);
    const kind = this.random();
    if (kind < 0.2) {
      expect(this.index.delete(`d${number}`)).toBe(this.documents.delete(`d${number}`));
    } else if (kind < 0.25) {
      const [life, end] = [`life${number % 50}`, Math.floor(this.random() * 100)];
      this.ends.set(life, end);
      this.index.endLife(life, end);
    } else {
      const document = documentOf(number, this.random);
      this.documents.set(document.id, document);
      this.index.put(document);
    }
  }

  expectSame(index = this.index): void {
    const fresh = new RecallIndex('english');
    for (const document of this.documents.values()) fresh.put(document);
    for (const [life, end] of this.ends) fresh.endLife(life, end);
    expect(index.size).toBe(fresh.size);
    for (const question of QUESTIONS) {
      for (const options of [{}, { livingAt: 50 }, { where: { marks: ['third'] } }]) {
        const asked = { ...options, limit: 30 };
        expect(index.search(question, asked)).toEqual(fresh.search(question, asked));
      }
    }
  }
}

test('half done it finds what an index made afresh finds, saved and loaded as well', () => {
  const twin = new Twin();
  const seen = { half: 0, whole: 0 };
  let wasTidying = false;
  for (let step = 0; step < 12_000; step += 1) {
    twin.change();
    const { isTidying } = twin.index;
    if (isTidying && step % 8 === 0) {
      seen.half += 1;
      twin.expectSame();
    }
    if (isTidying && !wasTidying) twin.expectSame(copyOf(twin.index));
    if (wasTidying && !isTidying) {
      seen.whole += 1;
      twin.expectSame();
    }
    wasTidying = isTidying;
  }
  expect(seen.half).toBeGreaterThan(20);
  expect(seen.whole).toBeGreaterThan(1);
});

test('no change writes many documents anew', () => {
  const index = new RecallIndex('english');
  const random = randomOf(3);
  for (let round = 0; round < 3; round += 1) {
    for (let number = 0; number < IDS; number += 1) index.put(documentOf(number, random));
  }
  let changes = 0;
  for (let number = 0; !index.isTidying || changes < 2; number += 1) {
    index.put(documentOf(number % IDS, random));
    if (index.isTidying) changes += 1;
  }
  for (let number = 0; index.isTidying; number += 1) {
    index.put(documentOf(number % IDS, random));
    changes += 1;
  }
  // Sixteen documents each.
  expect(changes).toBeGreaterThan(IDS / 32);
  expect(index.size).toBe(IDS);
});

function copyOf(index: RecallIndex): RecallIndex {
  const parts = new Map<string, Uint8Array>();
  index.save((part, bytes) => void parts.set(part, bytes.slice()));
  return RecallIndex.load((part) => parts.get(part) as Uint8Array);
}

test.each([
  ['short', 12, 6000],
  ['long', 1300, 2500],
])(
  'keeps what it takes within bounds when a few %s texts are put again and again',
  (_, words, turns) => {
    const index = new RecallIndex('english');
    let most = 0;
    let sinceTidy = 0;
    for (let turn = 0; turn < turns; turn += 1) {
      const text = Array.from({ length: words }, (__, word) => `w${turn % 7}x${word}`).join(' ');
      index.put({ id: `d${turn % 3}`, text });
      sinceTidy = index.isTidying ? sinceTidy + 1 : 0;
      // Written anew it holds three texts, and what was put meanwhile.
      expect(sinceTidy).toBeLessThan(1200);
      if (2 * turn < turns) most = Math.max(most, index.bytes);
    }
    expect(index.bytes).toBeLessThan(1.2 * most);
  },
);
