/** A projection that counts the events of each stream. */
import { defineProjection } from '#src/index.js';

export const counted = defineProjection({
  name: 'counted',
  version: 1,
  initial: () => ({ n: 0 }),
  on: {
    added: (draft) => {
      draft.n += 1;
    },
  },
});
