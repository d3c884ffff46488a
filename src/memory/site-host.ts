/** Which site an address belongs to. */
import { invalidArgument, quote } from '../errors.js';

/** A name with a dot, `localhost`, an IPv4 or a bracketed IPv6 address; then a port, and whatever follows a host in an address. */
const BARE_HOST =
  /^(?:localhost|[^\s/?#@\\:[\]]+\.[^\s/?#@\\:[\]]*|\[[0-9a-f:.]+\])(?::\d{1,5})?(?=[/?#]|$)/i;
const HOST_BYTES_MAX = 194;

/**
 * The host that a site is known by: lower-case ASCII (IDNA), a port that is not the scheme's own kept, one leading `www.` and a trailing dot dropped.
 * `http` and `https` are one site. User name, path and query play no part. A bare host such as `example.com` is taken as `https://example.com`; a name without
 * a dot needs its scheme, except for `localhost`, so that `mailto:anna` and slips of the pen are told.
 *
 * @throws TypeError for anything but http and https, and for a host of more than 194 bytes
 */
export function hostOf(url: string | URL): string {
  const text: unknown = url instanceof URL ? url.href : url;
  if (typeof text !== 'string') {
    throw invalidArgument('url must be a string or a URL, such as https://example.com/');
  }
  const trimmed = text.trim();
  const bare = BARE_HOST.test(trimmed);
  const parsed = parse(bare ? `https://${trimmed}` : trimmed);
  if (parsed === undefined || (parsed.protocol !== 'http:' && parsed.protocol !== 'https:')) {
    throw invalidArgument(
      `url must be an http or https address or a bare host such as example.com, not ${quote(text)}`,
    );
  }
  const name = parsed.hostname.replace(/\.$/, '').replace(/^www\.(?=.)/, '');
  // Without a scheme, port 80 says that of http.
  const own = parsed.port === '' || (bare && parsed.port === '80');
  const host = own ? name : `${name}:${parsed.port}`;
  if (name === '' || name.endsWith('.')) {
    throw invalidArgument(`url has no host that could be a site: ${quote(text)}`);
  }
  if (host.length > HOST_BYTES_MAX) {
    throw invalidArgument(
      `the host of url has ${host.length} bytes; a site is known by at most ${HOST_BYTES_MAX}`,
    );
  }
  return host;
}

function parse(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}
