/** The web addresses that a piece of Markdown names. */
import { hostOf } from '../memory/site-host.js';

/** Inline, in angle brackets, bare, and the definitions of reference links: whatever form a link has, its address stands somewhere. */
const ADDRESS = /https?:\/\/[^\s<>"'`\\^{|}\])]+/gi;
const LINKS_MAX = 100;

/** Addresses in their order, each once. Code spans tell of no links. */
export function linksIn(text: string): string[] {
  const found = new Set<string>();
  for (const [match] of withoutCode(text).matchAll(ADDRESS)) {
    const address = match.replace(/[.,:;!?*_~]{1,20}$/, '');
    if (address.length > 2000 || !isSite(address)) continue;
    found.add(address);
    if (found.size >= LINKS_MAX) break;
  }
  return [...found];
}

/** The hosts of addresses, each once. */
export function hostsOf(addresses: readonly string[]): string[] {
  return [...new Set(addresses.map(hostOf))];
}

function isSite(address: string): boolean {
  try {
    return hostOf(address) !== '';
  } catch {
    return false;
  }
}

/** Code spans are blanked out; one that is not closed is none. */
function withoutCode(text: string): string {
  if (!text.includes('`')) return text;
  const runs = [...text.matchAll(/`+/g)];
  let plain = '';
  let from = 0;
  // Where a run of each length comes next, looked up from behind, so that no text is searched twice.
  const next = new Map<number, number>();
  const closes = runs.map(() => -1);
  for (let index = runs.length - 1; index >= 0; index -= 1) {
    const length = runs[index]?.[0].length ?? 0;
    closes[index] = next.get(length) ?? -1;
    next.set(length, index);
  }
  for (let index = 0; index < runs.length; index += 1) {
    const close = closes[index] ?? -1;
    if (close < 0) continue;
    plain += text.slice(from, runs[index]?.index);
    from = (runs[close]?.index ?? 0) + (runs[close]?.[0].length ?? 0);
    index = close;
  }
  return plain + text.slice(from);
}
