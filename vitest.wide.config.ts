/** The second part of `npm run test:long`: every search through crashes, faults and inputs, much wider than `npm test` has time for. */
import { defineConfig, type ViteUserConfig } from 'vitest/config';
import base from './vitest.config.js';

process.env['RECOLLECT_RUNS'] ??= '5';

const config: ViteUserConfig = defineConfig({
  test: {
    ...base.test,
    include: [
      'property-tests/**/*.test.ts',
      'test/processes/{compaction,copying,dying,snapshots,soak}.test.ts',
      'test/{contract,store}/*-thread.test.ts',
      'test/snapshots/crash.test.ts',
      'test/store/compaction-crashes.test.ts',
      'test/log/archive.test.ts',
    ],
    testTimeout: 30 * 60_000,
    hookTimeout: 5 * 60_000,
  },
});

export default config;
