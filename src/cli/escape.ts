/** Text from a store, made safe to be shown: whoever wrote it must not be able to steer the terminal of who reads it. */

/** What is not seen, or turns what is seen around: control characters (with 7- and 8-bit escape sequences), bidirectional marks, ignorable and private ones. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Co}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;
/** The same without the line feeds that indented JSON has between its lines, never inside a string. */
const UNPRINTABLE_IN_LINES =
  /(?!\n)[\p{Cc}\p{Cf}\p{Co}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;
/** A colour of our own, or something unprintable. */
const COLOUR_OR_UNPRINTABLE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with one
  /\u001b\[[0-9;]{1,8}m|[\p{Cc}\p{Cf}\p{Co}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** Each UTF-16 code unit as `\uXXXX`, which JSON reads back. */
function escaped(characters: string): string {
  return characters.replace(
    /[\s\S]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** A text on one line. */
export function plain(text: string): string {
  return text.toWellFormed().replace(UNPRINTABLE, (found) => SHORT[found] ?? escaped(found));
}

/** A value as JSON on one line, or indented; reads back as the same value. */
export function jsonOf(value: unknown, indent?: number): string {
  const text = JSON.stringify(value, undefined, indent) ?? 'null';
  return text.replace(UNPRINTABLE_IN_LINES, escaped);
}

/** JSON that was written elsewhere: whatever is unprintable in it stands inside a string. */
export function safeJsonText(text: string): string {
  return text.replace(UNPRINTABLE_IN_LINES, escaped);
}

/** The last look at a line that is printed: nothing unprintable but, if there may be any, colours. */
export function guarded(text: string, colours: boolean): string {
  return text.replace(COLOUR_OR_UNPRINTABLE, (found) =>
    colours && found.length > 2 && found.startsWith('\u001b[')
      ? found
      : (SHORT[found] ?? escaped(found)),
  );
}

/** The same of text whose line ends are meant: never of a text from a store. */
export function guardedLines(text: string, colours: boolean): string {
  const lines = text.split('\n');
  return lines.map((line) => guarded(line, colours)).join('\n');
}
