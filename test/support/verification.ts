/** How tests verify a store on a simulated disk. */
import type { OpenSettings } from '#src/log/open-settings.js';
import type { Paths } from '#src/log/paths.js';

export function verificationOf(paths: Paths): OpenSettings {
  return {
    paths,
    create: undefined,
    readOnly: true,
    lockTimeoutMs: 0,
    segmentBytes: 4096,
    label: '',
    allowSharedDirectory: false,
    allowFileSystem: false,
  };
}
