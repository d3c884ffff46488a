/** What an agent remembers, about 300 bytes as JSON: `{ stream, type, data }`. Different each time, so that nothing can be cached. */
const sentences = [
  'The user prefers short answers and asked not to be called before ten in the morning.',
  'Searched the flat listings again: two new ones, both above the agreed limit of rent.',
  'The build failed on the second step, because the lock file was older than the tree.',
  'Anna will bring the signed contract on Thursday; remind her about the second copy.',
];
const wholeTextLength = 164;

const texts = Array.from({ length: 61 }, (_, index) => {
  const first = sentences[index % sentences.length];
  const second = sentences[(index * 7 + 1) % sentences.length];
  return `${index} ${first} ${second} ${second}`.slice(0, wholeTextLength);
});

export function makeEvent(stream, number) {
  return {
    stream,
    type: 'message.remembered',
    data: {
      role: number % 2 === 0 ? 'assistant' : 'user',
      step: number,
      text: texts[number % texts.length],
      importance: (number % 100) / 100,
      tags: ['bench', 'memory'],
    },
  };
}
