import { fileURLToPath } from 'node:url';
import { defineConfig, type ViteUserConfig } from 'vitest/config';

const root: string = fileURLToPath(new URL('.', import.meta.url));
const dist: string = fileURLToPath(new URL('./dist/', import.meta.url));

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');

/**
 * Tests import internals as `#src/log/decide.js`: types from src/, code from dist/. The build is loaded by Node itself
 * and not transformed, because worker threads and child processes load the very same files.
 */
const config: ViteUserConfig = defineConfig({
  test: {
    root,
    include: ['test/**/*.test.ts', 'property-tests/**/*.test.ts'],
    exclude: ['test/long/**', '**/node_modules/**'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // A skipped or a focused test is a test that nobody runs.
    allowOnly: false,
    server: { deps: { external: [/\/node_modules\//, new RegExp(`^${escaped(dist)}`)] } },
    coverage: {
      provider: 'custom',
      customProviderModule: fileURLToPath(
        new URL('./test/support/coverage-of-build.mjs', import.meta.url),
      ),
      include: ['dist/**/*.js'],
      reporter: ['text', 'json-summary'],
    },
  },
});

export default config;
