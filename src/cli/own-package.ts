/**
 * A config file says `import … from 'recollect'`, and may stand where there is no such package, or another copy of it, whose definitions this one does not
 * know. What it gets is the package that runs it.
 */
import { register } from 'node:module';

const PATHS: Readonly<Record<string, string>> = {
  recollect: '../index.js',
  'recollect/locks': '../locks/index.js',
  'recollect/testing': '../testing.js',
};

let registered = false;

export function serveOwnPackage(): void {
  if (registered) return;
  registered = true;
  const urls: Record<string, string> = {};
  for (const [name, path] of Object.entries(PATHS)) {
    urls[name] = new URL(path, import.meta.url).href;
  }
  register('./own-package-hooks.js', { parentURL: import.meta.url, data: urls });
}
