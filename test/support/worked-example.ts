/** The store of docs/FORMAT.md, "Worked example": what the code writes for its ids, salts and times. */
import type { Environment } from '#src/log/environment.js';
import { MemoryDisk } from '#src/log/memory-disk.js';
import { openLogOn } from '#src/log/open-log.js';
import { defineProjection, openStoreOnSync } from '#src/store.js';
import { readBytes } from './built-store.js';
import { ManualClock } from './clock.js';

export const exampleId = '5e0c1f3a-7b2d-4c69-8a4e-0d9b6c3f1e27';
const salts = ['00112233445566778899aabbccddeeff', 'ffeeddccbbaa99887766554433221100'];
const nine = Date.UTC(2026, 0, 1, 9);

/** The projection of the page. */
const people = defineProjection({
  name: 'people',
  version: 1,
  initial: (): { name: string; city: string; likes: Set<string> } => ({
    name: '',
    city: '',
    likes: new Set<string>(),
  }),
  on: {
    'user.named': (draft, event) => {
      draft.name = (event.data as { name: string }).name;
    },
    'user.moved': (draft, event) => {
      draft.city = (event.data as { to: string }).to;
    },
    'user.prefers': (draft, event) => {
      draft.likes.add((event.data as { answers: string }).answers);
    },
  },
});

/** What 16 random bytes are taken for, in that order: the id of the store, then the salt of each group. */
function chosenBytes(): Environment['randomBytes'] {
  const chosen = [exampleId.replaceAll('-', ''), ...salts];
  return (count) =>
    Buffer.from(count === 16 ? (chosen.shift() ?? '') : '', 'hex').subarray(0, count);
}

/** The files by their path in the store, with forward slashes; without the lock file, which is about one machine. */
export async function writeExample(): Promise<Map<string, Buffer>> {
  const disk = new MemoryDisk();
  const clock = new ManualClock(nine - 3_600_000);
  const environment: Environment = {
    disk,
    clock: clock.now,
    monotonic: () => 0,
    randomBytes: chosenBytes(),
    writer: { pid: 1, host: 'example', startedAt: nine },
  };
  const log = await openLogOn(environment, '/example');
  clock.set(nine);
  await Promise.all([
    log.append('users/anna', { type: 'user.named', data: { name: 'Anna' } }),
    log.commit([
      { stream: 'users/anna', events: { type: 'user.moved', data: { to: 'Zürich' } } },
      { stream: 'cities/zürich', events: { type: 'city.grew', data: { by: 1 }, schemaVersion: 2 } },
    ]),
  ]);
  // The clock goes back a minute.
  clock.advance(-60_000);
  await log.append(
    'users/anna',
    { type: 'user.prefers', data: { answers: 'short' }, metadata: { confidence: 0.9 } },
    {
      actor: 'planner',
      reason: 'she said "short"',
      correlationId: 'conversation-3',
      causationId: '1.0',
      idempotencyKey: 'message-17',
    },
  );
  await log.close();
  const paths = ['store.json', 'log/00000000000000000001.ndjson', 'anchor'];
  const read = (path: string) => [path, readBytes(disk, `/example/${path}`)] as const;
  const files = paths.map(read);
  // Ends the segment: what stands in the page is as before.
  const store = openStoreOnSync(environment, '/example', { projections: [people] });
  store.snapshotSync();
  store.closeSync();
  const names = disk.list('/example/snapshots').map((name) => `snapshots/${name}`);
  return new Map([...files, ...names.map(read)]);
}
