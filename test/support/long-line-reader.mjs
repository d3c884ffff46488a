// Does to the store it is told what a test asks for, and prints what came of it and how much memory that took.
import { openLogSync, RecollectError, verifyStoreSync } from '#src/index.js';

const [, , directory = '', question] = process.argv;

/** @param {() => unknown} call */
function answerOf(call) {
  try {
    return call();
  } catch (error) {
    if (!(error instanceof RecollectError)) throw error;
    return Object.assign({ message: error.message }, error);
  }
}

const questions = {
  write: () => openLogSync(directory).recovery,
  read: () => {
    const log = openLogSync(directory, { readOnly: true });
    let events = 0;
    const end = answerOf(() => {
      for (const _ of log.readAllSync()) events += 1;
      return { code: 'end' };
    });
    return { recovery: log.recovery, events, end };
  },
  verify: () => verifyStoreSync(directory),
};

const answer = answerOf(questions[/** @type {keyof typeof questions} */ (question)]);
const megabytes = process.resourceUsage().maxRSS / 1024;
process.stdout.write(JSON.stringify({ answer, megabytes }));
