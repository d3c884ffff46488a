import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';

function run(command, commandArguments) {
  const { status, stdout, stderr, error } = spawnSync(command, commandArguments, {
    cwd: here,
    encoding: 'utf8',
    shell: process.platform === 'win32',
  });
  return { failed: status !== 0, output: error?.message ?? `${stdout}${stderr}` };
}

/**
 * Brings the peers into bench/node_modules when they are not there. lmdb and classic-level carry their binaries; better-sqlite3
 * needs its install script, which is run by name, because npm runs no scripts of packages that were not approved. Whatever
 * fails is reported and leaves that peer `not built`: the rest can be measured without it.
 */
export function installPeers(print) {
  if (!installPackages(print)) return;
  if (run(process.execPath, ['-e', "new (require('better-sqlite3'))(':memory:').close()"]).failed) {
    print('Building better-sqlite3 (about a minute) …');
    const built = run(npm, ['rebuild', 'better-sqlite3', '--ignore-scripts=false']);
    if (built.failed)
      print(
        `better-sqlite3 does not build here (it needs Python, make and a C++ compiler).\n${lastLines(built.output)}`,
      );
  }
}

/** Those that need no script. False when they could not be had. */
export function installPackages(print) {
  const peers = ['async-mutex', 'lmdb', 'minisearch', 'proper-lockfile'];
  if (peers.some((name) => !existsSync(`${here}node_modules/${name}`))) {
    print('Installing the peers into bench/node_modules …');
    const installed = run(npm, ['ci', '--ignore-scripts', '--no-audit', '--no-fund']);
    if (installed.failed) {
      print(
        `The peers could not be installed; only what needs no package is measured.\n${lastLines(installed.output)}`,
      );
      return false;
    }
  }
  return true;
}

function lastLines(output) {
  return output
    .trim()
    .split('\n')
    .slice(-5)
    .map((line) => `  ${line}`)
    .join('\n');
}
