/** Who may read under a name. */
import { quote, RecollectError } from './base.js';

/** Another reader has the name of the subscription. Nothing was given out. */
export class SubscriptionInUseError extends RecollectError {
  /** The name. */
  readonly subscription: string;
  /** Process id of the reader, when known. */
  readonly pid: number | undefined;
  readonly host: string | undefined;
  /** Since when it has the name, when known. */
  readonly since: Date | undefined;
  /** The actor of its store, when it has one. */
  readonly label: string | undefined;

  constructor(facts: {
    subscription: string;
    pid?: number | undefined;
    host?: string | undefined;
    since?: Date | undefined;
    label?: string | undefined;
  }) {
    const { subscription, pid, host, since, label } = facts;
    const known = pid !== undefined;
    const where = pid === process.pid ? `pid ${pid}, this process` : `pid ${pid}`;
    const who = label === undefined ? '' : ` for ${quote(label)}`;
    const reader = known
      ? `${where} on ${quote(host ?? 'this host')}${who}, since ${since?.toISOString() ?? 'an unknown time'}`
      : 'another reader';
    super(
      'SUBSCRIPTION_IN_USE',
      `The subscription ${quote(subscription)} is being read by ${reader}. One reader at a time has a name: end that one (is it stopped?), or use another name.`,
    );
    this.subscription = subscription;
    this.pid = pid;
    this.host = host;
    this.since = since;
    this.label = label;
  }
}
