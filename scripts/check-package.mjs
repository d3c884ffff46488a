/** Checks the package as users will get it: packs it, then asks publint and attw about the tarball. */
import './prepare.mjs';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

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

const directory = mkdtempSync(join(tmpdir(), 'recollect-package-'));
try {
  // The build is up to date already, so npm has no script to run.
  const [packed] = JSON.parse(
    run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', directory]),
  );
  const tarball = join(directory, packed.filename);
  console.log(`${packed.filename}: ${packed.entryCount} files, ${packed.size} bytes`);

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
