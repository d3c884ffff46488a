// Prints the boot id that this process has where the system tells none; run as a thread and as a process.
import { idOfThisProcess } from '#src/locks/boot-id.js';

process.stdout.write(idOfThisProcess());
