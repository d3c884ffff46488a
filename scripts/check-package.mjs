/** Checks the package as users will get it: packs it, looks at what is in it and how large it is, then asks publint and attw about the tarball. */
import './prepare.mjs';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** What the build gives, what a reader needs, and what npm demands. The build keeps its comments: sources and maps would be the same again. */
const EXPECTED =
  /^(dist\/[^.][^ ]*\.(js|cjs|d\.ts)|docs\/[A-Z-]+\.md|README\.md|CHANGELOG\.md|LICENSE|package\.json)$/;
const PACKED_BYTES_MAX = 1_250_000;
const UNPACKED_BYTES_MAX = 4_500_000;
const FILES_MAX = 1_100;

/**
 * @param {string} command
 * @param {string[]} parameters
 * @returns {string} what it printed, or the end of this check
 */
function run(command, parameters) {
  const shell = process.platform === 'win32' && command === 'npm';
  const { status, stdout, stderr, error } = spawnSync(command, parameters, {
    cwd: root,
    encoding: 'utf8',
    shell,
  });
  if (error) throw error;
  if (status !== 0) throw new Error(`${[command, ...parameters].join(' ')}\n${stdout}${stderr}`);
  return stdout;
}

/** @param {string} path */
function hasMap(path) {
  if (!/\.(c?js|d\.ts)$/.test(path)) return false;
  return /^\/\/# sourceMappingURL=/m.test(readFileSync(join(root, path), 'utf8'));
}

/** @param {{ files: { path: string }[], entryCount: number, size: number, unpackedSize: number }} packed */
function checkContent({ files, entryCount, size, unpackedSize }) {
  const others = files.map(({ path }) => path).filter((path) => !EXPECTED.test(path));
  if (others.length > 0) {
    throw new Error(`These need not be in the package; see "files" in package.json: ${others}`);
  }
  const mapped = files.filter(({ path }) => hasMap(path)).map(({ path }) => path);
  if (mapped.length > 0) throw new Error(`These name source maps, which are not packed: ${mapped}`);
  for (const [what, is, most] of /** @type {const} */ ([
    ['packed bytes', size, PACKED_BYTES_MAX],
    ['unpacked bytes', unpackedSize, UNPACKED_BYTES_MAX],
    ['files', entryCount, FILES_MAX],
  ])) {
    if (is > most) throw new Error(`The package has ${is} ${what}; at most ${most} are wanted`);
  }
}

const directory = mkdtempSync(join(tmpdir(), 'recollect-package-'));
try {
  // The build is up to date already, so npm has no script to run.
  const [packed] = JSON.parse(
    run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', directory]),
  );
  const tarball = join(directory, packed.filename);
  console.log(
    `${packed.filename}: ${packed.entryCount} files, ${packed.size} bytes, ${packed.unpackedSize} unpacked`,
  );
  checkContent(packed);

  console.log(
    run(process.execPath, ['node_modules/publint/src/cli.js', 'run', tarball, '--strict']),
  );

  // There is one build, of ES modules. Node 20.19, the oldest that `engines` admits, can require() it, so that a CommonJS
  // file which resolves to an ES module is what is meant here (rule cjs-resolves-to-esm); test/package.test.ts runs it.
  // Resolution as of Node 10, which knows no `exports`, is left out for the same reason (profile node16).
  console.log(
    run(process.execPath, [
      'node_modules/@arethetypeswrong/cli/dist/index.js',
      tarball,
      '--profile',
      'node16',
      '--ignore-rules',
      'cjs-resolves-to-esm',
    ]),
  );
} finally {
  rmSync(directory, { recursive: true, force: true });
}
