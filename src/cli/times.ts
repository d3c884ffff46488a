/** Times and moments as people write and read them. */
import { WrongUse } from './exit-codes.js';

const MINUTE_MS = 60_000;

/** ISO 8601, in UTC as it is stored, or in the zone of whoever reads it. */
export function shownTime(time: string | undefined, local: boolean): string {
  if (time === undefined) return '-';
  if (!local) return time;
  const date = new Date(time);
  const ahead = -date.getTimezoneOffset();
  const shifted = new Date(date.getTime() + ahead * MINUTE_MS).toISOString().slice(0, -1);
  const hours = String(Math.floor(Math.abs(ahead) / 60)).padStart(2, '0');
  const minutes = String(Math.abs(ahead) % 60).padStart(2, '0');
  return `${shifted}${ahead < 0 ? '-' : '+'}${hours}:${minutes}`;
}

/** A position, or a time that the library reads. */
export function momentOf(text: string): number | string {
  if (/^\d+$/.test(text)) return positionOf(text);
  return text;
}

/** @throws WrongUse */
export function positionOf(text: string): number {
  const position = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(position)) return position;
  throw new WrongUse(`'${text}' is no position: use a whole number, such as 42`);
}

/** A duration for people. */
export function shownDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

const UNITS = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

export function shownBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit]}`;
}
