/** Functions and methods that run under a lock: plain functions, and the decorators of the standard (TypeScript 5). */
import { checkOptionNames, invalidArgument, optionNames } from '../errors.js';
import { getLockManager, LockManager, type LockNames } from './lock-manager.js';
import { checkWork, type LockOptions, namesInOrder } from './request.js';

export interface LockedOptions extends LockOptions {
  /** Default: that of the process, `getLockManager()`, asked for at each call. */
  readonly manager?: LockManager | undefined;
}

const LOCKED_OPTIONS = optionNames<LockedOptions>({
  manager: true,
  timeoutMs: true,
  signal: true,
  priority: true,
  label: true,
  owner: true,
});

/** Which lock: a name, several, or a function that tells it from the arguments of the call (and its `this`). */
export type Naming<This, Parameters extends unknown[]> =
  | LockNames
  | ((this: This, ...parameters: Parameters) => LockNames);

/** A function of the same parameters whose result is awaited. */
export type Locked<This, Parameters extends unknown[], Result> = (
  this: This,
  ...parameters: Parameters
) => Promise<Awaited<Result>>;

/** The function, run while nobody writes. @throws TypeError at once; each call as `LockManager.withRead` */
export function readLocked<This, Parameters extends unknown[], Result>(
  name: Naming<This, Parameters>,
  work: (this: This, ...parameters: Parameters) => Result,
  options?: LockedOptions,
): Locked<This, Parameters, Result> {
  return locked('withRead', name, work, options);
}

/** The function, run while nobody else reads or writes. @throws TypeError at once; each call as `LockManager.withWrite` */
export function writeLocked<This, Parameters extends unknown[], Result>(
  name: Naming<This, Parameters>,
  work: (this: This, ...parameters: Parameters) => Result,
  options?: LockedOptions,
): Locked<This, Parameters, Result> {
  return locked('withWrite', name, work, options);
}

/** The function, run while no other process runs it: under an exclusive file lock. @throws TypeError at once; each call as `LockManager.withExclusive` */
export function fileLocked<This, Parameters extends unknown[], Result>(
  name: Naming<This, Parameters>,
  work: (this: This, ...parameters: Parameters) => Result,
  options?: LockedOptions,
): Locked<This, Parameters, Result> {
  return locked('withExclusive', name, work, options);
}

/** {@link fileLocked} for a synchronous function, which stops its thread while it waits. @throws TypeError at once; each call as `LockManager.withExclusiveSync` */
export function fileLockedSync<This, Parameters extends unknown[], Result>(
  name: Naming<This, Parameters>,
  work: (this: This, ...parameters: Parameters) => Result,
  options?: LockedOptions,
): (this: This, ...parameters: Parameters) => Result {
  const settings = settingsOf(name, work, options);
  return function (this: This, ...parameters: Parameters): Result {
    return settings
      .manager()
      .withExclusiveSync(
        namesFor(name, this, parameters),
        () => work.apply(this, parameters),
        settings.lock,
      );
  };
}

/** For asynchronous methods. One may have more parameters than the function that names its lock looks at. */
export type MethodDecorator<NamedThis, Named extends unknown[]> = <
  This extends NamedThis,
  Parameters extends [...Named, ...unknown[]],
  Result,
>(
  method: (this: This, ...parameters: Parameters) => Promise<Result>,
  context: ClassMethodDecoratorContext<
    This,
    (this: This, ...parameters: Parameters) => Promise<Result>
  >,
) => (this: This, ...parameters: Parameters) => Promise<Result>;

/** Runs an asynchronous method while nobody writes. @throws TypeError at once; each call as `LockManager.withRead` */
export function readLock<This = unknown, Named extends unknown[] = unknown[]>(
  name: Naming<This, Named>,
  options?: LockedOptions,
): MethodDecorator<This, Named> {
  return (method) => locked('withRead', namingOf(name), method, options);
}

/** Runs an asynchronous method while nobody else reads or writes. @throws TypeError at once; each call as `LockManager.withWrite` */
export function writeLock<This = unknown, Named extends unknown[] = unknown[]>(
  name: Naming<This, Named>,
  options?: LockedOptions,
): MethodDecorator<This, Named> {
  return (method) => locked('withWrite', namingOf(name), method, options);
}

/** As {@link MethodDecorator}, for synchronous methods too. */
export type AnyMethodDecorator<NamedThis, Named extends unknown[]> = <
  This extends NamedThis,
  Parameters extends [...Named, ...unknown[]],
  Result,
>(
  method: (this: This, ...parameters: Parameters) => Result,
  context: ClassMethodDecoratorContext<This, (this: This, ...parameters: Parameters) => Result>,
) => (this: This, ...parameters: Parameters) => Result;

/**
 * Runs a method while no other process runs it: under an exclusive file lock. A method that is declared `async` waits without stopping its thread;
 * any other waits synchronously, and when it gives a promise the lock is kept until that is settled.
 * @throws TypeError at once; each call as `LockManager.withExclusive`
 */
export function fileLock<This = unknown, Named extends unknown[] = unknown[]>(
  name: Naming<This, Named>,
  options?: LockedOptions,
): AnyMethodDecorator<This, Named> {
  return (method) => {
    return isAsync(method)
      ? (locked('withExclusive', namingOf(name), method, options) as typeof method)
      : heldUntilSettled(namingOf(name), method, options);
  };
}

/** What names a method's lock looks at the first of its parameters, which the decorator's type has checked. */
function namingOf<This, Parameters extends unknown[]>(name: unknown): Naming<This, Parameters> {
  return name as Naming<This, Parameters>;
}

function isAsync(method: unknown): boolean {
  return Object.prototype.toString.call(method) === '[object AsyncFunction]';
}

function locked<This, Parameters extends unknown[], Result>(
  call: 'withRead' | 'withWrite' | 'withExclusive',
  name: Naming<This, Parameters>,
  work: (this: This, ...parameters: Parameters) => Result,
  options: LockedOptions | undefined,
): Locked<This, Parameters, Result> {
  const settings = settingsOf(name, work, options);
  return async function (this: This, ...parameters: Parameters): Promise<Awaited<Result>> {
    const names = namesFor(name, this, parameters);
    return await settings
      .manager()
      [call](names, async () => await work.apply(this, parameters), settings.lock);
  };
}

function heldUntilSettled<This, Parameters extends unknown[], Result>(
  name: Naming<This, Parameters>,
  work: (this: This, ...parameters: Parameters) => Result,
  options: LockedOptions | undefined,
): (this: This, ...parameters: Parameters) => Result {
  const settings = settingsOf(name, work, options);
  return function (this: This, ...parameters: Parameters): Result {
    return settings
      .manager()
      .exclusiveUntilSettled(
        namesFor(name, this, parameters),
        () => work.apply(this, parameters),
        settings.lock,
      );
  };
}

interface Settings {
  readonly manager: () => LockManager;
  readonly lock: LockOptions;
}

/** What can be found wrong is found where the lock is declared, not at the first call. */
function settingsOf(name: unknown, work: unknown, options: LockedOptions = {}): Settings {
  checkWork(work);
  if (typeof name !== 'function') namesInOrder(name);
  checkOptionNames(options, LOCKED_OPTIONS, 'a locked function');
  const { manager, ...lock } = options;
  if (manager !== undefined && !(manager instanceof LockManager)) {
    throw invalidArgument('manager must be a LockManager');
  }
  return { manager: () => manager ?? getLockManager(), lock };
}

function namesFor<This, Parameters extends unknown[]>(
  name: Naming<This, Parameters>,
  self: This,
  parameters: Parameters,
): LockNames {
  return typeof name === 'function' ? name.apply(self, parameters as never) : name;
}
