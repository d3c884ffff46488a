/** Several changes, over several models, as one commit: all of them, or none. */
import { openMemory } from 'recollect';

const memory = await openMemory(process.argv[2] ?? './example-memory', { actor: 'planner' });
await memory.records.store('seats', 2);

/** @param {string} userId */
async function book(userId) {
  await memory.transaction(
    async (tx) => {
      const seats = Number((await tx.records.get('seats'))?.value);
      // What was read is a condition of the commit: when others book meanwhile, this runs again.
      if (seats === 0) tx.engine.rollback('there is no seat left');
      await tx.records.store('seats', seats - 1);
      await tx.users.changeContext(userId, (draft) => {
        draft.preferences['seat'] = seats;
      });
      await tx.episodes.record({ text: `${userId} booked seat ${seats}`, participants: [userId] });
    },
    { reason: `${userId} asked for a seat` },
  );
}

const asked = ['anna', 'bert', 'carl'];
const outcomes = await Promise.allSettled(asked.map(book));
console.log(`booked: ${outcomes.filter(({ status }) => status === 'fulfilled').length}`);
for (const outcome of outcomes) {
  if (outcome.status === 'rejected') console.log(`refused: ${outcome.reason.code}`);
}
console.log(`left: ${(await memory.records.get('seats'))?.value}`);
await memory.close();
