/** The commands that errors tell can be copied into a shell. */
import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { StoreDamagedError, shellWord } from '#src/errors.js';

/** What a program gets as its argument when the command is given to the shell of this system. */
function argumentOf(word: string): string {
  const command = [process.execPath, '-p', 'process.argv[1]'].map(shellWord).join(' ');
  const { stdout } = spawnSync(`${command} ${word}`, { shell: true, encoding: 'utf8' });
  return stdout.trimEnd();
}

describe('a word of a command', () => {
  test.each([
    '/home/anna/memory',
    '/home/anna/my memory',
    "anna's memory",
    'a&b;c $HOME',
    'größe (1)',
  ])('is one argument, unchanged: %s', (text) => {
    expect(argumentOf(shellWord(text))).toBe(text);
  });

  test('is left as it is where a shell sees nothing in it', () => {
    expect(shellWord('/home/anna/memory-1.2_b')).toBe('/home/anna/memory-1.2_b');
  });

  test('names a damaged store as it is called', () => {
    const directory = '/home/anna/my memory';
    const error = new StoreDamagedError({ directory, file: 'f', offset: 0, problem: 'p' });
    const [, , ...words] = error.command.split(/ (?=['"]|salvage)/);
    expect(words.map(argumentOf)).toEqual([directory, `${directory}-salvaged`]);
    expect(error.message).toContain(error.command);
  });
});
