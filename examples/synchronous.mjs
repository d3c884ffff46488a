/** The same without promises: most calls have a synchronous twin, and both kinds may be mixed. */
import { openMemorySync } from 'recollect';

const memory = openMemorySync(process.argv[2] ?? './example-memory', { actor: 'tool' });

// Durable when the call returns.
memory.records.storeSync('branch', 'main');
memory.sites.recordVisitSync('https://example.com/login', { durationMs: 800, success: true });
memory.sites.cacheSelectorSync('https://example.com', 'login button', '#login');

console.log(`branch: ${memory.records.getSync('branch')?.value}`);
console.log(`selector: ${memory.sites.getSelectorSync('example.com', 'login button')?.selector}`);
console.log(`found: ${memory.recallSync('main branch')[0]?.id}`);
memory.closeSync();
