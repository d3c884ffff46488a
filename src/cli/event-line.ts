/** An event on one line. */
import type { RecordedEvent } from '../store.js';
import type { Context } from './context.js';

/** `42.0  2026-01-31T12:00:00.000Z  planner  users/anna@3  user.seen  {"where":"phone"}  "she called"` */
export function eventLine(context: Context, event: RecordedEvent): string {
  const { paint } = context;
  const { id, stream, version, type, data, actor, reason } = event;
  const time = context.time(event.time);
  const who = actor ?? '-';
  const used = `${id}${time}${who}${stream}${version}${type}${reason ?? ''}`.length + 16;
  const parts = [
    paint.position(id),
    paint.faint(time),
    paint.actor(who),
    paint.name(`${stream}@${version}`),
    paint.type(type),
    context.brief(data, used),
  ];
  if (reason !== undefined) parts.push(paint.faint(`(${reason})`));
  return parts.join('  ');
}
