import { test } from 'vitest';
import { countWithKills } from '../support/counting.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

test('eight processes count to 10 000 in a plain file under a file lock while sixty are killed', async () => {
  await countWithKills(temporaryDirectory(), 10_000, 60);
});
