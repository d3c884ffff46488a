/** Chat transcripts: JSON lines with role and content, or lines of `Name: text`. */
import { basename, extname } from 'node:path';
import { ImportFailedError } from '../errors.js';
import { type ChatMessage, ChatText, textTime } from './chat-text.js';
import { checkItem, type ImportItem, type ItemContent, keyFor, type Notes } from './item.js';
import { type JsonMembers, objectOf, wrongMember } from './json-line.js';
import { linesOf, type TextLine } from './text-lines.js';

export interface ChatOptions {
  readonly into: 'episodes' | 'conversations';
  /** The session of messages that name none. */
  readonly session: string;
}

/** The session of a transcript that names none: the file's name without its extension. */
export function sessionOf(label: string): string {
  return basename(label, extname(label)) || 'chat';
}

export async function* chatItems(
  path: string,
  label: string,
  notes: Notes,
  options: ChatOptions,
): AsyncGenerator<ImportItem, void> {
  for await (const message of messagesOf(path, label, notes, options.session)) {
    const item = itemOf(message, options);
    checkItem(item, { file: label, line: message.line });
    yield item;
  }
}

function itemOf(message: ChatMessage, { into }: ChatOptions): ImportItem {
  const { text, speaker, session, at, bytes } = message;
  const episode = { text, kind: 'message', session, speaker, participants: [speaker] };
  const content: ItemContent =
    into === 'episodes'
      ? { episode: at === undefined ? episode : { ...episode, at } }
      : {
          message: {
            session: keyFor('conversations/long-term', session),
            data: { role: speaker, content: text },
          },
        };
  return { content, lane: session, bytes };
}

async function* messagesOf(
  path: string,
  label: string,
  notes: Notes,
  session: string,
): AsyncGenerator<ChatMessage, void> {
  let isJson: boolean | undefined;
  const chat = new ChatText(label, session);
  for await (const line of linesOf(path, { signal: notes.signal, label })) {
    const isBlank = line.text.trim() === '';
    isJson ??= isBlank ? undefined : line.text.trimStart().startsWith('{');
    if (isJson && !isBlank) {
      const message = messageOf(line, label, session);
      if (message) yield message;
      else notes.skip(`${label}, line ${line.line}`, 'a message without text');
    } else if (!isJson) {
      const message = chat.take(line);
      if (message) yield message;
    }
  }
  const last = chat.end();
  if (last) yield last;
}

const SESSION = ['session', 'conversationId', 'conversation_id', 'thread'];
const SPEAKER = ['name', 'speaker'];
const TIME = ['time', 'timestamp', 'at', 'createdAt', 'created_at'];
const NAME_MAX = 200;

function messageOf(line: TextLine, file: string, session: string): ChatMessage | undefined {
  const members = objectOf(line, file);
  const role = nameIn(members, ['role'], line, file);
  if (role === undefined) throw wrongMember(line, file, 'role', 'must be a text');
  const text = contentOf(members, line, file);
  if (text.trim() === '') return undefined;
  return {
    text,
    speaker: nameIn(members, SPEAKER, line, file) ?? role,
    session: nameIn(members, SESSION, line, file) ?? session,
    at: timeIn(members, line, file),
    line: line.line,
    bytes: line.bytes,
  };
}

/** The first of the members that is there. */
function memberIn(members: JsonMembers, names: readonly string[]): string | undefined {
  return names.find((name) => Object.hasOwn(members, name) && members[name] !== null);
}

function nameIn(
  members: JsonMembers,
  names: readonly string[],
  line: TextLine,
  file: string,
): string | undefined {
  const member = memberIn(members, names);
  if (member === undefined) return undefined;
  const value = members[member];
  if (typeof value === 'string' && value.trim() !== '' && value.length <= NAME_MAX) return value;
  throw wrongMember(line, file, member, `must be a text of 1 to ${NAME_MAX} characters`);
}

function contentOf(members: JsonMembers, line: TextLine, file: string): string {
  const { content } = members;
  if (typeof content === 'string') return content;
  if (content === null) return '';
  if (Array.isArray(content)) {
    const texts = content.map((part: unknown) => {
      if (typeof part === 'string') return part;
      const { text } = (part ?? {}) as { text?: unknown };
      return typeof text === 'string' ? text : '';
    });
    return texts.filter((text) => text !== '').join('\n');
  }
  throw wrongMember(line, file, 'content', 'must be a text or a list of parts with text');
}

/** Numbers beyond this are milliseconds since 1970, others seconds. */
const SECONDS_MAX = 1e11;

function timeIn(members: JsonMembers, line: TextLine, file: string): string | undefined {
  const member = memberIn(members, TIME);
  if (member === undefined) return undefined;
  const value = members[member];
  if (typeof value === 'number') {
    const date = new Date(value > SECONDS_MAX ? value : value * 1000);
    const year = date.getUTCFullYear();
    if (year >= 0 && year <= 9999) return date.toISOString();
  }
  const time = typeof value === 'string' ? textTime(value) : undefined;
  if (time !== undefined) return time;
  const problem = 'must be a time such as 2026-01-31T12:00:00Z, or a number since 1970';
  throw wrongMember(line, file, member, problem);
}

/** @throws ImportFailedError when a first line is no line of a transcript */
export function checkChatText({ text, line }: TextLine, file: string): void {
  if (ChatText.begins(text)) return;
  const problem =
    'it is not known what this is. A transcript has lines such as `Name: text`; for Markdown pass format markdown';
  throw new ImportFailedError(file, problem, { line, column: 1 });
}
