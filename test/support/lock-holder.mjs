// Takes the exclusive lock on the first byte of the file it is told, says so, and keeps it until it dies.
import { RealDisk } from '#src/log/real-disk.js';

const path = process.argv[2] ?? '';
const disk = new RealDisk();
const file = disk.open(path, 'write');
const locked = disk.tryLock(file, { offset: 0, length: 1 }, 'exclusive');
process.stdout.write(locked ? 'locked\n' : 'refused\n');
setInterval(() => {}, 60_000);
