/** The last part of `npm run test:long`: storms, and what needs a mount. One file at a time, so that they do not disturb each other. */
import { defineConfig, type ViteUserConfig } from 'vitest/config';
import base from './vitest.config.js';

const config: ViteUserConfig = defineConfig({
  test: {
    ...base.test,
    include: ['test/long/**/*.test.ts'],
    exclude: ['**/node_modules/**'],
    fileParallelism: false,
    testTimeout: 30 * 60_000,
    hookTimeout: 5 * 60_000,
  },
});

export default config;
