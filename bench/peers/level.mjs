import { join } from 'node:path';

/** LevelDB groups puts that meet; they meet on the four threads of Node's pool, which is why its figures stop rising early. */
export const variants = { 'classic-level, sync': open };

async function open(directory) {
  const { ClassicLevel } = await import('classic-level');
  const database = new ClassicLevel(join(directory, 'store'));
  await database.open();
  const durable = { sync: true };
  let key = 0;
  return {
    append: (event) =>
      database.put(String(++key).padStart(12, '0'), JSON.stringify(event), durable),
    close: () => database.close(),
  };
}
