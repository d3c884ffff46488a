/** Tokens grow strictly whatever dies: the process at any call, the power at any moment, the disk at any sync. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RecollectError } from '#src/errors.js';
import { FENCE_END, type FenceFile, nextToken, TOKENS_PER_RANGE } from '#src/locks/fence.js';
import { keepNewest, seededChooser } from '../support/chooser.js';
import { seed, times } from '../support/runs.js';
import { SimulatedDisk } from '../support/simulated-disk.js';
import {
  CrashError,
  type CrashMoment,
  type SimulatedProcess,
} from '../support/simulated-process.js';

const DIRECTORY = '/locks';
const PATH = `${DIRECTORY}/some.lock`;
/** Short ranges, so that their ends come often. */
const RANGE = 3;

function freshDisk(): SimulatedDisk {
  const disk = new SimulatedDisk();
  const maker = disk.process('maker');
  maker.makeDirectory(DIRECTORY);
  maker.syncDirectory('/');
  return disk;
}

/** The lock file through the simulated disk's calls. */
function fenceFile(process: SimulatedProcess, file: number): FenceFile {
  return {
    boot: process.bootId().replaceAll('-', ''),
    read: (bytes, position) => void process.read(file, bytes, 0, bytes.length, position),
    write: (bytes, position) => {
      const written = process.write(file, bytes, 0, bytes.length, position);
      if (written < bytes.length) throw new Error('only a part could be written');
    },
    sync: () => {
      process.sync(file);
      process.syncDirectory(DIRECTORY);
    },
  };
}

/** One holder: opens, takes a token, closes, as FileLock does under its lock. */
function take(process: SimulatedProcess): number {
  const file = process.open(PATH, process.facts(PATH) === undefined ? 'create' : 'write');
  try {
    return nextToken(fenceFile(process, file), { tokensPerRange: RANGE });
  } finally {
    if (process.alive) process.close(file);
  }
}

/** What many holders have been given, one after the other. */
class Tokens {
  last = 0;

  given(token: number): void {
    expect(token).toBeGreaterThan(this.last);
    expect(Number.isInteger(token)).toBe(true);
    this.last = token;
  }
}

describe('fencing tokens', () => {
  test('count from 1, and skip nothing while the machine runs and nobody dies', () => {
    const disk = freshDisk();
    for (let turn = 1; turn <= 20; turn += 1) expect(take(disk.process(`p${turn % 3}`))).toBe(turn);
  });

  test('cost one sync for each range', () => {
    const process = freshDisk().process('p');
    for (let turn = 0; turn < 7 * RANGE; turn += 1) take(process);
    expect(process.count('sync')).toBe(7);
    const file = process.open(PATH, 'write');
    for (let turn = 0; turn < 2 * TOKENS_PER_RANGE; turn += 1) nextToken(fenceFile(process, file));
    expect(process.count('sync')).toBe(9);
  });

  test('grow after a death at any call', () => {
    const moments: CrashMoment[] = ['before', 'during', 'after'];
    let deaths = 0;
    for (const moment of moments) {
      for (let call = 1; call <= 60; call += 1) {
        const disk = freshDisk();
        const tokens = new Tokens();
        const dying = disk.process('dying');
        dying.crashAt(call, moment);
        try {
          for (let turn = 0; turn < 2 * RANGE + 2; turn += 1) tokens.given(take(dying));
        } catch (error) {
          expect(error).toBeInstanceOf(CrashError);
          deaths += 1;
        }
        for (let turn = 0; turn < RANGE + 1; turn += 1) tokens.given(take(disk.process('next')));
      }
    }
    expect(deaths).toBeGreaterThan(90);
  });

  test('grow after a power failure at any call, whatever it leaves of what was not synced', () => {
    let states = 0;
    for (const moment of ['during', 'after'] as const) {
      for (let call = 1; call <= 45; call += 1) {
        const disk = freshDisk();
        const tokens = new Tokens();
        const dying = disk.process('dying');
        dying.crashAt(call, moment);
        try {
          for (let turn = 0; turn < 2 * RANGE + 2; turn += 1) tokens.given(take(dying));
        } catch (error) {
          expect(error).toBeInstanceOf(CrashError);
        }
        for (const left of disk.statesAfterPowerLoss()) {
          states += 1;
          const after = new Tokens();
          after.last = tokens.last;
          for (let turn = 0; turn < 2; turn += 1) after.given(take(left.process('next')));
        }
      }
    }
    expect(states).toBeGreaterThan(200);
  });

  test('grow when the record of a new range was half written and the power failed', () => {
    const disk = freshDisk();
    const tokens = new Tokens();
    for (let turn = 0; turn < 2 * RANGE; turn += 1) tokens.given(take(disk.process('p')));
    const failing = disk.process('failing');
    failing.inject({ method: 'write', bytes: 12, code: 'EIO' });
    expect(() => take(failing)).toThrow('EIO');
    tokens.given(take(disk.powerLoss(keepNewest).process('next')));
  });

  test('grow over any story of deaths, power failures and failing calls', () => {
    const acts = fc.array(
      fc.oneof(
        {
          arbitrary: fc.record({ do: fc.constant('take' as const), who: fc.nat({ max: 2 }) }),
          weight: 8,
        },
        fc.record({ do: fc.constant('die' as const), call: fc.integer({ min: 1, max: 8 }) }),
        fc.record({
          do: fc.constant('fail' as const),
          method: fc.constantFrom(
            'sync' as const,
            'write' as const,
            'read' as const,
            'syncDirectory' as const,
          ),
          applied: fc.boolean(),
        }),
        fc.record({ do: fc.constant('lose power' as const), seed: fc.nat() }),
      ),
      { minLength: 5, maxLength: 40 },
    );
    let failures = 0;
    fc.assert(
      fc.property(acts, (list) => {
        let disk = freshDisk();
        let number = 0;
        const tokens = new Tokens();
        const someone = () => {
          number += 1;
          return disk.process(`once ${number}`);
        };
        for (const act of list) {
          if (act.do === 'take') tokens.given(take(disk.process(`p${act.who}`)));
          else if (act.do === 'lose power') disk = disk.powerLoss(seededChooser(act.seed));
          else {
            const process = someone();
            if (act.do === 'die') process.crashAt(act.call, 'during');
            else process.inject({ method: act.method, code: 'EIO', applied: act.applied });
            try {
              for (let turn = 0; turn < RANGE; turn += 1) tokens.given(take(process));
            } catch (error) {
              if (error instanceof Error && error.name === 'AssertionError') throw error;
              failures += 1;
            }
          }
        }
        tokens.given(take(disk.process('last')));
      }),
      { numRuns: times(300), seed },
    );
    expect(failures).toBeGreaterThan(100);
  });

  test('grow when the file has lost what was written to it since', () => {
    const process = freshDisk().process('p');
    take(process);
    const file = process.open(PATH, 'write');
    const old = Buffer.alloc(FENCE_END);
    process.read(file, old, 0, old.length, 0);
    const tokens = new Tokens();
    for (let turn = 0; turn < RANGE + 1; turn += 1) tokens.given(take(process));
    process.write(file, old, 0, old.length, 0);
    const syncs = process.count('sync');
    const next = () => {
      const given = { tokensPerRange: RANGE, highest: tokens.last };
      return nextToken(fenceFile(process, file), given);
    };
    tokens.given(next());
    // Out of a range that was proven anew, and the next one is of the same.
    expect(process.count('sync')).toBe(syncs + 1);
    tokens.given(next());
    expect(process.count('sync')).toBe(syncs + 1);
  });

  test('are refused when both records are damaged, rather than given twice', () => {
    const process = freshDisk().process('p');
    for (let turn = 0; turn < 2 * RANGE + 1; turn += 1) take(process);
    const file = process.open(PATH, 'write');
    for (const offset of [128, 512, 1024])
      process.write(file, Buffer.from('damaged'), 0, 7, offset);
    const failure = (() => {
      try {
        return take(process);
      } catch (error) {
        return error;
      }
    })();
    expect(failure).toBeInstanceOf(RecollectError);
    expect(failure).toMatchObject({ code: 'LOCK_DAMAGED' });
  });
});
