/** A git repository: what happened in it, who did it, and what is where. */
import { realpath } from 'node:fs/promises';
import { ImportFailedError } from '../errors.js';
import type { Entity, Relation } from '../memory/graph-model.js';
import { commitsOf, type GitCommit } from './git-log.js';
import { Counter, type GitOptions, gitAnswer, gitTokens } from './git-process.js';
import { directoriesOf, type GitDirectory } from './git-tree.js';
import {
  checkItem,
  type ImportItem,
  type ItemContent,
  type ItemSource,
  keyFor,
  type Notes,
  type Span,
} from './item.js';

const SHORT = 12;
const MESSAGE_MAX = 100_000;
const SUBJECT_MAX = 300;
const NAME_MAX = 200;

/** @throws ImportFailedError for what is no repository, has no commit, or is a shallow clone */
export async function openGit(path: string, signal: AbortSignal | undefined): Promise<ItemSource> {
  const label = await realpath(path);
  const options = { label, signal };
  const shallow = await gitAnswer(label, ['rev-parse', '--is-shallow-repository'], options);
  if (shallow !== 'false') {
    const problem =
      'it is a shallow clone, whose history is cut off: run git fetch --unshallow first';
    throw new ImportFailedError(label, problem);
  }
  const head = await headOf(label, options);
  return {
    format: 'git',
    label,
    totalBytes: undefined,
    history: { head, isAncestor: (commit) => isAncestor(label, commit, head, options) },
    items: (notes, span = { to: head }) => gitItems(label, span, notes),
    close: async () => {},
  };
}

async function headOf(repository: string, options: GitOptions): Promise<string> {
  try {
    return await gitAnswer(repository, ['rev-parse', '--verify', 'HEAD^{commit}'], options);
  } catch (error) {
    options.signal?.throwIfAborted();
    throw new ImportFailedError(options.label, 'it has no commit yet', { cause: error });
  }
}

async function isAncestor(
  repository: string,
  commit: string,
  head: string,
  options: GitOptions,
): Promise<boolean> {
  try {
    await gitAnswer(repository, ['merge-base', '--is-ancestor', commit, head], options);
    return true;
  } catch (error) {
    options.signal?.throwIfAborted();
    if (error instanceof ImportFailedError) return false;
    throw error;
  }
}

async function* gitItems(
  repository: string,
  span: Span,
  { signal }: Notes,
): AsyncGenerator<ImportItem, void> {
  const counter = new Counter();
  const options = { label: repository, signal };
  for await (const commit of commitsOf(repository, span, options, counter)) {
    const item = { content: commitContent(commit), lane: commit.id, bytes: counter.bytes };
    checkItem(item, { file: `${repository}, commit ${commit.id}` });
    yield item;
  }
  const tree = ['ls-tree', '-r', '-z', '--name-only', '--full-tree', span.to];
  const names = gitTokens(repository, tree, options, counter);
  for await (const directory of directoriesOf(names)) {
    const lane = `directory ${directory.path}`;
    const item = { content: directoryContent(directory), lane, bytes: counter.bytes };
    checkItem(item, { file: `${repository}, directory ${directory.path}` });
    yield item;
  }
}

function commitContent(commit: GitCommit): ItemContent {
  const { id, parents, author, email, at, message, directories, files } = commit;
  const name = commitName(id);
  const [subject = ''] = message.split('\n');
  const person = nameOf(author) || nameOf(email) || 'unknown';
  const user = keyFor('users', email.trim().toLowerCase() || person);
  const places = directories.map(directoryName);
  const relations: Relation[] = [
    { from: name, to: person, relationType: 'written by' },
    ...parents.map((parent) => ({ from: name, to: commitName(parent), relationType: 'follows' })),
    ...places.map((place) => ({ from: name, to: place, relationType: 'changes' })),
  ];
  const shared: Entity[] = [
    { name: person, entityType: 'person', observations: [] },
    ...places.map((place) => ({ name: place, entityType: 'directory', observations: [] })),
  ];
  return {
    episode: {
      text: message.slice(0, MESSAGE_MAX).toWellFormed() || `${name}, without a message`,
      kind: 'commit',
      speaker: person,
      participants: [user],
      metadata: { commit: id, files, directories },
      ...(at === undefined ? {} : { at }),
    },
    entity: {
      name,
      entityType: 'commit',
      observations: subject === '' ? [] : [subject.slice(0, SUBJECT_MAX).toWellFormed()],
    },
    shared,
    relations,
    user: {
      id: user,
      name: person,
      email: email.slice(0, NAME_MAX).toWellFormed(),
      topics: topicsOf(directories),
    },
  };
}

/** A character that the cut goes through is replaced: half of one is no text. */
function nameOf(text: string): string {
  return text.trim().slice(0, NAME_MAX).toWellFormed();
}

function commitName(id: string): string {
  return `commit ${id.slice(0, SHORT)}`;
}

function directoryName(path: string): string {
  return path === '' ? './' : `${path}/`;
}

/** What somebody works on: directories at the top. */
function topicsOf(directories: readonly string[]): string[] {
  const tops = directories.map((path) => path.split('/', 1)[0] ?? '');
  return [...new Set(tops)].filter((top) => top !== '');
}

function directoryContent({ path, ...value }: GitDirectory): ItemContent {
  const key = keyFor('records', `directory:${directoryName(path)}`);
  return { record: { key, value: { path: directoryName(path), ...value } } };
}
