/** The file of an MCP memory server: one JSON object a line, an entity or a relation. */
import { ImportFailedError } from '../errors.js';
import { checkItem, type ImportItem, type ItemContent, type Notes } from './item.js';
import { type JsonMembers, objectOf, wrongMember } from './json-line.js';
import { linesOf, type TextLine } from './text-lines.js';

export async function* mcpItems(
  path: string,
  label: string,
  { signal }: Notes,
): AsyncGenerator<ImportItem, void> {
  for await (const line of linesOf(path, { signal, label })) {
    if (line.text.trim() === '') continue;
    const item = itemOf(line, label);
    checkItem(item, { file: label, line: line.line });
    yield item;
  }
}

function itemOf(line: TextLine, file: string): ImportItem {
  const members = objectOf(line, file);
  const { bytes } = line;
  const text = (member: string) => textOf(members, member, line, file);
  if (members['type'] === 'entity') {
    const name = text('name');
    const entityType = text('entityType');
    const observations = observationsOf(members, line, file);
    const content: ItemContent = { entity: { name, entityType, observations } };
    return { content, lane: name, bytes };
  }
  if (members['type'] === 'relation') {
    const from = text('from');
    const relation = { from, to: text('to'), relationType: text('relationType') };
    return { content: { relations: [relation] }, lane: from, bytes };
  }
  throw wrongMember(line, file, 'type', 'must be "entity" or "relation"');
}

function textOf(members: JsonMembers, member: string, line: TextLine, file: string): string {
  const value = members[member];
  if (typeof value === 'string') return value;
  throw wrongMember(line, file, member, 'must be a text');
}

function observationsOf(members: JsonMembers, line: TextLine, file: string): readonly string[] {
  const { observations } = members;
  const isList =
    Array.isArray(observations) && observations.every((each) => typeof each === 'string');
  if (!isList) throw wrongMember(line, file, 'observations', 'must be a list of texts');
  return [...new Set(observations as string[])];
}

/** What a first line says of its file. @throws ImportFailedError when it is no JSON object */
export function formatOfObject(line: TextLine, file: string): 'mcp' | 'chat' {
  const members = objectOf(line, file);
  if (members['type'] === 'entity' || members['type'] === 'relation') return 'mcp';
  if (Object.hasOwn(members, 'role') && Object.hasOwn(members, 'content')) return 'chat';
  throw new ImportFailedError(
    file,
    'it is not known what this is: lines of an MCP memory have a type, entity or relation, those of a chat role and content',
    { line: line.line, column: 1 },
  );
}
