import { statfsSync } from 'node:fs';
import {
  arch,
  availableParallelism,
  cpus,
  loadavg,
  platform,
  release,
  tmpdir,
  totalmem,
} from 'node:os';

const tmpfsMagic = 0x01021994;

/** What the figures depend on. Names neither the machine nor its directories. */
export function describeMachine() {
  const fileSystem = statfsSync(tmpdir()).type;
  const load = loadavg()[0];
  const warnings = [];
  if (fileSystem === tmpfsMagic)
    warnings.push(
      'the temporary directory lies in memory, so a sync costs nothing; set TMPDIR to a directory on a disk.',
    );
  if (load > availableParallelism() / 2)
    warnings.push(`the machine is busy (load ${load.toFixed(1)}).`);
  return {
    processor: cpus()[0]?.model.trim() ?? 'unknown processor',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    node: process.versions.node,
    platform: `${platform()} ${release().split('.').slice(0, 2).join('.')} ${arch()}`,
    fileSystem: `0x${fileSystem.toString(16)}`,
    load,
    warnings,
  };
}
