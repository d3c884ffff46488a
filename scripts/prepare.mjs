/**
 * Makes a fresh clone ready: installs what package-lock.json asks for and builds dist/, each only when needed.
 * Runs before everything is installed, so it uses nothing but Node.
 *
 *   node scripts/prepare.mjs            install and build what is missing or old
 *   node scripts/prepare.mjs --build    build in any case
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const tsc = join(root, 'node_modules/typescript/bin/tsc');
const dist = join(root, 'dist');
const builtFrom = join(dist, '.built-from');

/**
 * Runs a program to its end, ours if it fails.
 * @param {string} command
 * @param {string[]} parameters
 */
function run(command, parameters) {
  // npm is a .cmd file on Windows, which only a shell can start.
  const shell = process.platform === 'win32' && command === 'npm';
  const { status, error } = spawnSync(command, parameters, { cwd: root, stdio: 'inherit', shell });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

/** @param {string} file */
function packagesOf(file) {
  /** @type {{ packages: Record<string, { version?: string, optional?: boolean }> }} */
  const lock = JSON.parse(readFileSync(file, 'utf8'));
  return lock.packages;
}

/** What is installed must be what the lock file says; packages for other platforms are optional and may be absent. */
function isInstalled() {
  const installedFile = join(root, 'node_modules/.package-lock.json');
  if (!existsSync(installedFile)) return false;
  const installed = packagesOf(installedFile);
  return Object.entries(packagesOf(join(root, 'package-lock.json'))).every(
    ([path, { version, optional }]) =>
      path === '' || optional || installed[path]?.version === version,
  );
}

/**
 * @param {string} directory
 * @returns {string[]} paths of all files below it, relative to it, with forward slashes
 */
function filesBelow(directory) {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .map((path) => path.replaceAll('\\', '/'))
    .sort();
}

/** A digest of all that decides what the build gives: contents, because a checkout says nothing by its times. */
function digestOfSources() {
  const digest = createHash('sha256');
  const inputs = [
    ...filesBelow(join(root, 'src')).map((path) => `src/${path}`),
    'tsconfig.json',
    'tsconfig.build.json',
    'package.json',
    'scripts/bundle.mjs',
    'scripts/prepare.mjs',
    'node_modules/typescript/package.json',
    'node_modules/rolldown/package.json',
  ];
  for (const path of inputs) {
    const content = readFileSync(join(root, path));
    digest.update(`${path}\n${content.length}\n`).update(content);
  }
  return digest.digest('hex');
}

/** A module that is gone from src/ must not live on in dist/, where tests and users could still import it. */
function removeLeftovers() {
  for (const path of filesBelow(dist)) {
    const source = path.replace(/(\.d\.ts|\.js)(\.map)?$/, '.ts');
    if (source !== path && !existsSync(join(root, 'src', source))) rmSync(join(dist, path));
  }
}

/** The maps stay here, for coverage, and are in no package: a file that names one that is not there makes bundlers warn. */
function forgetMaps() {
  for (const path of filesBelow(dist)) {
    if (!/\.(js|d\.ts)$/.test(path)) continue;
    const file = join(dist, path);
    const text = readFileSync(file, 'utf8');
    const without = text.replace(/\n\/\/# sourceMappingURL=\S+\s*$/, '\n');
    if (without !== text) writeFileSync(file, without);
  }
}

if (!isInstalled()) run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund']);

const digest = digestOfSources();
const isBuilt = existsSync(builtFrom) && readFileSync(builtFrom, 'utf8') === digest;
if (!isBuilt || process.argv.includes('--build')) {
  rmSync(builtFrom, { force: true });
  run(process.execPath, [tsc, '-p', join(root, 'tsconfig.build.json')]);
  removeLeftovers();
  forgetMaps();
  // It needs a package, which may have been installed only now.
  const { bundle } = await import('./bundle.mjs');
  await bundle();
  writeFileSync(builtFrom, digest);
}
