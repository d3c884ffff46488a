/** A store whose keys are not its streams: a transfer touches two accounts. */
import {
  defineEvents,
  defineProjection,
  type Events,
  event,
  type NewEventOf,
  openStore,
  type Projection,
  removed,
  type Store,
  type StoreOptions,
} from '#src/index.js';

export interface Account {
  name: string;
  balance: number;
  /** The last transfers. */
  lines: { with: string; amount: number }[];
}

export interface Transfer {
  from: string;
  to: string;
  amount: number;
}

const declared = {
  'money.moved': event<Transfer>(),
  'account.closed': event<{ name: string }>(),
  'account.broken': event<{ name: string }>(),
  'account.seen': event<{ name: string }>(),
};

export type AccountEvents = Events<typeof declared>;

export const events: AccountEvents = defineEvents(declared);

export const accounts: Projection<Account> = defineProjection({
  name: 'accounts',
  version: 1,
  events,
  initial: (name: string): Account => ({ name, balance: 0, lines: [] }),
  key: ({ data }) => ('name' in data ? data.name : [data.from, data.to]),
  on: {
    'money.moved': (account, { data }) => {
      const amount = data.from === account.name ? -data.amount : data.amount;
      account.balance += amount;
      account.lines.push({ with: data.from === account.name ? data.to : data.from, amount });
      if (account.lines.length > 2) account.lines.shift();
    },
    'account.closed': () => removed,
    'account.broken': () => {
      throw new Error('cannot be folded');
    },
    'account.seen': () => undefined,
  },
});

export function moved(from: string, to: string, amount: number): NewEventOf<AccountEvents> {
  return { type: 'money.moved', data: { from, to, amount } };
}

export type AccountStore = Store<AccountEvents>;

export function openAccounts(
  options: Omit<StoreOptions<AccountEvents>, 'events' | 'projections'> = {},
): Promise<AccountStore> {
  return openStore({ memory: true, events, projections: [accounts], ...options });
}
