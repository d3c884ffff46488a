import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const childFile = fileURLToPath(new URL('child.mjs', import.meta.url));
const taskTimeoutMs = 120_000;

/** A process of its own for what is measured, so that compiled code, heap and threads of one variant never meet those of another. */
export class Child {
  #process = fork(childFile, { execArgv: ['--expose-gc'], serialization: 'advanced' });
  #waiting = new Map();
  #lastId = 0;

  constructor() {
    this.#process.on('message', ({ id, result, error }) => {
      const { resolve, reject } = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) resolve(result);
      else reject(Object.assign(new Error(error.message), error));
    });
    this.#process.on('exit', (code, signal) => {
      for (const { reject } of this.#waiting.values())
        reject(new Error(`the measuring process ended (${signal ?? code})`));
    });
  }

  /** Runs the function `task` of `module` (a path next to this file) in the child. */
  call(module, task, input) {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#process.kill('SIGKILL');
        reject(
          new Error(
            `${task} did not end within ${taskTimeoutMs / 1_000} s: ${JSON.stringify(input)}`,
          ),
        );
      }, taskTimeoutMs);
      const settle = (settled) => (value) => {
        clearTimeout(timer);
        settled(value);
      };
      this.#waiting.set(id, { resolve: settle(resolve), reject: settle(reject) });
      this.#process.send({ id, module, task, input });
    });
  }

  stop() {
    if (this.#process.connected) this.#process.disconnect();
  }
}

/** One child per variant, kept for the whole run: warm after its first round, idle while the others are measured. */
export class Crew {
  #children = new Map();
  /** Why a variant cannot be measured, by its name. */
  missing = new Map();

  /** Starts what `probe` of the module can use; a package that does not load is remembered, any other failure is an error. */
  static async muster(names, module) {
    const crew = new Crew();
    for (const name of names) {
      const child = new Child();
      try {
        await child.call(module, 'probe', { variant: name });
        crew.#children.set(name, child);
      } catch (error) {
        child.stop();
        if (!isLoadFailure(error)) throw error;
        crew.missing.set(name, error.message.split('\n')[0]);
      }
    }
    return crew;
  }

  has(name) {
    return this.#children.has(name);
  }

  run(name, module, task, input = {}) {
    return this.#children.get(name).call(module, task, { variant: name, ...input });
  }

  dismiss() {
    for (const child of this.#children.values()) child.stop();
  }
}

function isLoadFailure(error) {
  return (
    ['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND', 'ERR_DLOPEN_FAILED', 'NOT_BUILT'].includes(
      error.code,
    ) || /bindings file|No native build/.test(error.message)
  );
}
