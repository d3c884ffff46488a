import { inspect } from 'node:util';
import { expect } from 'vitest';

/** Every object that the value is made of is frozen, and the Maps and Sets in it refuse changes. */
export function expectDeeplyFrozen(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  expect(Object.isFrozen(value), inspect(value)).toBe(true);
  if (value instanceof Map) {
    expect(() => value.set('more', 1)).toThrow();
    expect(() => value.clear()).toThrow();
    for (const part of value.values()) expectDeeplyFrozen(part);
  } else if (value instanceof Set) {
    expect(() => value.add('more')).toThrow();
    expect(() => value.clear()).toThrow();
    for (const part of value) expectDeeplyFrozen(part);
  } else {
    for (const part of Object.values(value)) expectDeeplyFrozen(part);
  }
}
