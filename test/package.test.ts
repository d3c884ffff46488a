/** The package as users get it: packed, installed into empty projects, compiled and run there. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { temporaryDirectory } from './support/temporary-directory.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const INSTALL_TIMEOUT_MS = 180_000;

/** What npm tells the scripts it runs about the package they belong to would mislead an npm started from here. */
const environment = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) =>
      !/^npm_(package_|lifecycle_|command|config_local_prefix)|^NODE_OPTIONS$/i.test(name),
  ),
);

function run(directory: string, command: string, ...parameters: string[]): string {
  const shell = process.platform === 'win32' && command === 'npm';
  try {
    return execFileSync(command, parameters, {
      cwd: directory,
      encoding: 'utf8',
      env: environment,
      shell,
      stdio: 'pipe',
    });
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`${[command, ...parameters].join(' ')}\n${stdout}${stderr}`, { cause: error });
  }
}

interface PackedFile {
  readonly path: string;
}

function pack(directory: string): { tarball: string; files: string[] } {
  // The build is there already; its scripts have nothing to add.
  const report = run(
    root,
    'npm',
    'pack',
    '--json',
    '--ignore-scripts',
    '--pack-destination',
    directory,
  );
  const [packed] = JSON.parse(report) as { filename: string; files: PackedFile[] }[];
  if (!packed) throw new Error('npm pack made nothing');
  return { tarball: join(directory, packed.filename), files: packed.files.map(({ path }) => path) };
}

/** A directory with nothing installed but this package, for all projects in it. */
function install(parent: string): void {
  const { tarball } = pack(parent);
  writeFileSync(join(parent, 'package.json'), JSON.stringify({ private: true }));
  run(
    parent,
    'npm',
    'install',
    '--ignore-scripts',
    '--prefer-offline',
    '--no-audit',
    '--no-fund',
    tarball,
  );
}

/** What the programs below print: one event went in and came out again. */
const expected = 'position 1, notes/first version 1, note.taken {"text":"hello"}\n';

const program = `
async function main() {
  const log = await openLog(process.argv[2]);
  await log.append('notes/first', [{ type: 'note.taken', data: { text: 'hello' } }]);
  for await (const event of log.readAll()) {
    console.log(
      \`position \${event.position}, \${event.stream} version \${event.version}, \${event.type} \${JSON.stringify(event.data)}\`,
    );
  }
  await log.close();
}
`;

/** A store with typed events as a user would write it: nothing is cast, and what is wrong does not compile. */
const typedProgram = `
import { defineEvents, defineIndex, defineProjection, event, openStore, openStoreSync, removed, type StateOf } from 'recollect';

const events = defineEvents({ 'counter.added': event<{ by: number }>(), 'counter.dropped': event<null>() });
const counter = defineProjection({
  name: 'counter',
  version: 1,
  events,
  initial: { n: 0 },
  on: {
    'counter.added': (draft, { data }) => {
      draft.n += data.by;
    },
    'counter.dropped': () => removed,
  },
});
export const misspelt = () =>
  defineProjection({
    name: 'misspelt',
    version: 1,
    events,
    initial: 0,
    // @ts-expect-error a type that is not declared
    on: { 'counter.aded': (n) => n + 1 },
  });
const types = defineIndex({
  name: 'types',
  version: 1,
  events,
  create: () => new Map<string, number>(),
  apply: (index, group) => {
    for (const { type } of group) index.set(type, (index.get(type) ?? 0) + 1);
  },
  save: (index, sink) => sink.write('all', new TextEncoder().encode(JSON.stringify([...index]))),
  load: (source) => new Map(JSON.parse(new TextDecoder().decode(source.read('all'))) as [string, number][]),
  bytes: (index) => 100 * index.size,
});
const directory = process.argv[2] ?? '';
{
  await using store = await openStore(directory, {
    events,
    projections: [counter],
    indexes: [types],
    upcasters: { 'counter.added': { 1: (data: { n: number }) => ({ by: data.n }) } },
  });
  await store.append('c/1', { type: 'counter.added', data: { by: 5 } });
  await store.append('c/1', [{ type: 'counter.added', data: { by: -2 } }]);
  // @ts-expect-error a type that is not declared
  const odd: Parameters<typeof store.append>[1] = { type: 'counter.aded', data: { by: 1 } };
  // @ts-expect-error data of another shape
  const wrong: Parameters<typeof store.append>[1] = { type: 'counter.added', data: { by: '1' } };
  const state: StateOf<typeof counter> | undefined = await store.get(counter, 'c/1');
  // @ts-expect-error it may be absent
  state.n;
  for await (const recorded of store.readAll()) {
    if (recorded.type === 'counter.added') recorded.data.by.toFixed();
    // @ts-expect-error null has no members
    else recorded.data.by;
  }
  for (const [key, { n }] of store.entriesSync(counter, { prefix: 'c/' })) if (!key || !n) throw new Error();
  const counts: Map<string, number> = await store.index(types);
  if (counts.get('counter.added') !== 2 || !odd || !wrong) throw new Error('the index has not all');
}
const store = openStoreSync(directory, { events, projections: [counter], upcasters: { 'counter.added': { 1: (data) => data } } });
const before = store.at(1).getSync(counter, 'c/1');
console.log(\`\${store.getSync(counter, 'c/1')?.n}, \${before?.n} as of 1\`);
store.closeSync();
`;

/** Of the build, and of the pages about it. */
const PART = /^(dist\/.+\.(js|d\.ts)|dist\/program\/[^/]+\.cjs|docs\/[A-Z-]+\.md)$/;

describe('the package', { timeout: INSTALL_TIMEOUT_MS }, () => {
  let parent = '';
  beforeAll(() => {
    parent = mkdtempSync(join(realpathSync(tmpdir()), 'recollect-test-'));
    install(parent);
  }, INSTALL_TIMEOUT_MS);
  afterAll(() => rmSync(parent, { recursive: true, force: true }));

  /** An empty project that finds the package. */
  function projectOf(name: string, type: 'module' | 'commonjs'): string {
    const project = join(parent, name);
    mkdirSync(project);
    writeFileSync(join(project, 'package.json'), JSON.stringify({ private: true, type }));
    return project;
  }

  test('holds the build, its pages and what the licence asks for, and nothing else', () => {
    const { files } = pack(temporaryDirectory());

    const others = files.filter((path) => !PART.test(path));
    expect(others.sort()).toEqual(['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json']);
    for (const file of [
      'dist/index.js',
      'dist/index.d.ts',
      'dist/program/recollect.cjs',
      'docs/ERRORS.md',
    ]) {
      expect(files).toContain(file);
    }
  });

  test('has every page and file of its own that its README leads to', () => {
    const { files } = pack(temporaryDirectory());
    const readme = readFileSync(join(root, 'README.md'), 'utf8');
    const links = [...readme.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, link]) => link);
    expect(links.length).toBeGreaterThan(10);
    expect(links.filter((link) => !files.includes(link as string))).toEqual([]);
  });

  test('works from an ES module', () => {
    const project = projectOf('module', 'module');
    writeFileSync(
      join(project, 'main.js'),
      `import { openLog } from 'recollect';\nimport 'recollect/locks';\n${program}\nawait main();\n`,
    );

    expect(run(project, process.execPath, 'main.js', join(project, 'memory'))).toBe(expected);
  });

  test('works from CommonJS through require()', () => {
    const project = projectOf('commonjs', 'commonjs');
    writeFileSync(
      join(project, 'main.js'),
      `const { openLog } = require('recollect');\nrequire('recollect/locks');\n${program}\nmain();\n`,
    );

    expect(run(project, process.execPath, 'main.js', join(project, 'memory'))).toBe(expected);
  });

  test('works from strict TypeScript that checks the declarations of its libraries', () => {
    const project = projectOf('typescript', 'module');
    const types = join(root, 'node_modules/@types');
    const compilerOptions = {
      target: 'es2022',
      module: 'nodenext',
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      skipLibCheck: false,
      types: ['node'],
      typeRoots: [types],
    };
    writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions }));
    writeFileSync(
      join(project, 'main.ts'),
      `import { openLog, type RecordedEvent } from 'recollect';
import * as locks from 'recollect/locks';

const directory = process.argv[2] ?? '';
const log = await openLog(directory);
await log.append('notes/first', [{ type: 'note.taken', data: { text: 'hello' } }]);
const events: RecordedEvent[] = [];
for await (const event of log.readAll()) events.push(event);
await log.close();

const [event] = events;
if (!event || typeof locks !== 'object') throw new Error('nothing came back');
// @ts-expect-error data is unknown until somebody has looked at it
const text: string = event.data;
console.log(
  \`position \${event.position}, \${event.stream} version \${event.version}, \${event.type} \${JSON.stringify(text)}\`,
);
`,
    );

    writeFileSync(join(project, 'store.ts'), typedProgram);

    run(project, process.execPath, join(root, 'node_modules/typescript/bin/tsc'), '-p', project);

    expect(run(project, process.execPath, 'store.js', join(project, 'store'))).toBe(
      '3, 5 as of 1\n',
    );
    expect(run(project, process.execPath, 'main.js', join(project, 'memory'))).toBe(expected);
    const log = run(project, 'npm', 'exec', '--', 'recollect', 'log', 'memory', '--json');
    expect(JSON.parse(log)).toMatchObject({ stream: 'notes/first', data: { text: 'hello' } });
  });
});
