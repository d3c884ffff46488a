/**
 * Fails on an import that goes up the floors of the house, runs in a circle, or leaves the house. Imports of types count.
 *
 *   node scripts/check-imports.mjs [directory]     the directory that holds src/, default: this project
 */
import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cruise } from 'dependency-cruiser';

/**
 * The house, from the ground up: a module may import from its own floor and from those below.
 * @type {string[][]}
 */
const floors = [
  ['errors.ts', 'errors/', 'locks/', 'recall/'],
  ['log/'],
  ['projections/', 'backends/'],
  ['transaction.ts', 'transaction/', 'audit/', 'compaction/'],
  ['store.ts', 'store/'],
  ['memory/'],
  ['importers/'],
  ['index.ts', 'testing.ts', 'testing/', 'cli/', 'integrations/', 'inspector/'],
];

/** What a model of src/memory/ may use of the house: the Store as users see it, ranking, and errors. */
const openToMemory = ['memory/', 'store.ts', 'recall/', 'errors.ts'];

/** What the command line may use of the house: public calls, taken from the modules that have them because the whole takes long to load, and errors. */
const openToCli = [
  'cli/',
  'index.ts',
  'errors.ts',
  'store.ts',
  'memory/memory.ts',
  'memory/definitions.ts',
  'log/open-log.ts',
  'log/maintenance.ts',
  'log/diagnose.ts',
  'compaction/export.ts',
  'compaction/import.ts',
  'compaction/restore.ts',
  'importers/import-memory.ts',
  'store/replay.ts',
];

/**
 * A pattern for all modules in the given rooms (a file, or a folder ending in `/`).
 * @param {string[]} rooms
 */
function within(rooms) {
  const paths = rooms.map((room) => room.replaceAll('.', '\\.') + (room.endsWith('/') ? '' : '$'));
  return `^src/(?:${paths.join('|')})`;
}

/** @type {import('dependency-cruiser').IForbiddenRuleType[]} */
const forbidden = [
  ...floors.map((rooms, floor) => ({
    name: `upward from floor ${floor + 1}`,
    severity: /** @type {const} */ ('error'),
    from: { path: within(rooms) },
    to: {
      path: within(
        floors
          .slice(floor + 1)
          .flat()
          .concat('(no floor above)'),
      ),
    },
  })),
  {
    name: 'circular',
    severity: 'error',
    from: {},
    to: { circular: true },
  },
  {
    name: 'back door: a model uses only the public Store',
    severity: 'error',
    from: { path: '^src/memory/' },
    to: { path: '^src/', pathNot: within(openToMemory) },
  },
  {
    name: 'back door: the command line uses only public calls',
    severity: 'error',
    from: { path: '^src/cli/' },
    to: { path: '^src/', pathNot: within(openToCli) },
  },
  {
    name: 'out of the house: the package holds src/ alone',
    severity: 'error',
    from: {},
    to: { dependencyTypes: ['local'], pathNot: '^src/' },
  },
  {
    name: 'not found',
    severity: 'error',
    from: {},
    to: { couldNotResolve: true },
  },
];

/**
 * Rooms of one floor may import each other, but not in a circle, even where no single module is part of one.
 * @param {import('dependency-cruiser').IModule[]} modules
 */
function circlesOfRooms(modules) {
  const rooms = floors.flat();
  /** @param {string} path */
  const roomOf = (path) => rooms.find((room) => new RegExp(within([room])).test(path));

  /** @type {Map<string, Set<string>>} */
  const neighbours = new Map(rooms.map((room) => [room, new Set()]));
  for (const module of modules) {
    const from = roomOf(module.source);
    for (const dependency of module.dependencies) {
      const to = roomOf(dependency.resolved);
      if (from && to && from !== to) neighbours.get(from)?.add(to);
    }
  }

  return rooms
    .filter((room) => {
      const reached = new Set(neighbours.get(room));
      for (const next of reached)
        for (const further of neighbours.get(next) ?? []) reached.add(further);
      return reached.has(room);
    })
    .map((room) => `circular between rooms: src/${room} reaches itself through other rooms`);
}

/**
 * A module that no rule speaks of would be free to import anything.
 * @param {import('dependency-cruiser').IModule[]} modules
 */
function modulesWithoutFloor(modules) {
  const house = new RegExp(`${within(floors.flat())}|\\.d\\.ts$`);
  return modules
    .filter(({ source }) => source.startsWith('src/') && !house.test(source))
    .map(({ source }) => `no floor: ${source} (scripts/check-imports.mjs says which there are)`);
}

const root = resolve(process.argv[2] ?? fileURLToPath(new URL('..', import.meta.url)));

const { output } = await cruise(['src'], {
  baseDir: root,
  // Counts imports that exist for types alone, which the compiler erases.
  tsPreCompilationDeps: true,
  doNotFollow: { path: 'node_modules' },
  ruleSet: { forbidden },
  validate: true,
});
if (typeof output === 'string') throw new Error('The import check got a text instead of a result.');

const seen = output.modules.filter((module) => /^src\/.*\.ts$/.test(module.source)).length;
const written = readdirSync(join(root, 'src'), { recursive: true }).filter((path) =>
  String(path).endsWith('.ts'),
).length;

const problems = output.summary.violations.map(({ rule, from, to, cycle }) => {
  const path = cycle ? [from, ...cycle.map((step) => step.name)] : [from, to];
  return `${rule.name}: ${path.join(' -> ')}`;
});
problems.push(...circlesOfRooms(output.modules), ...modulesWithoutFloor(output.modules));

for (const problem of problems) console.error(problem);
console.log(`${seen} modules seen of ${written}, ${problems.length} forbidden imports`);

// A checker that sees nothing finds nothing: it must have read every module there is.
if (seen === 0 || seen !== written || problems.length > 0) process.exitCode = 1;
