/** Read a key's state, decide which events follow from it, append them: in one transaction, so that nobody decides on what has changed. */
import { checkOptionNames, invalidArgument, optionNames } from '../errors.js';
import type { Projection } from '../projections/define.js';
import type { Events, NewEventOf } from '../projections/events.js';
import {
  TRANSACTION_MEMBERS,
  type Transaction,
  type TransactionOptions,
  type Transactions,
} from '../transaction.js';

export interface CommandOptions extends TransactionOptions {
  /** Where the events go. Default: the stream named as the key. */
  readonly stream?: string | undefined;
}

const COMMAND_OPTIONS = optionNames<CommandOptions>({ ...TRANSACTION_MEMBERS, stream: true });

export interface CommandResult<State> {
  /** False when the decision gave no event: nothing was written. */
  readonly changed: boolean;
  /** The state with the decided events; undefined when the key is absent. */
  readonly state: State | undefined;
}

type Decided<E extends Events> = NewEventOf<E> | readonly NewEventOf<E>[];

/** Says which events follow from a state, `[]` for none. Called anew when others came first. */
type Decide<E extends Events, State> = (
  state: State | undefined,
) => Decided<E> | Promise<Decided<E>>;

/** @throws TypeError, and what transactions throw */
export async function runCommand<E extends Events, State>(
  transactions: Transactions,
  projection: Projection<State>,
  key: string,
  decide: Decide<E, State>,
  options: CommandOptions,
): Promise<CommandResult<State>> {
  if (typeof decide !== 'function') throw invalidArgument('a command takes a function');
  checkOptionNames(options, COMMAND_OPTIONS, 'a command');
  const { stream = key, ...rest } = options;
  return await transactions.run(async (transaction: Transaction<E>) => {
    const before = await transaction.get(projection, key);
    const decided = await decide(before);
    if (typeof decided !== 'object' || decided === null) {
      throw invalidArgument('a decision must give an event or a list of events, [] for none');
    }
    const events = Array.isArray(decided)
      ? (decided as NewEventOf<E>[])
      : [decided as NewEventOf<E>];
    if (events.length === 0) return Object.freeze({ changed: false, state: before });
    transaction.append(stream, events);
    return Object.freeze({ changed: true, state: await transaction.get(projection, key) });
  }, rest);
}
