/** Runs in Node's thread for module hooks: says where this package is. */

let urls: Readonly<Record<string, string>> = {};

export function initialize(data: Readonly<Record<string, string>>): void {
  urls = data;
}

interface Resolved {
  readonly url: string;
  readonly shortCircuit?: boolean;
}

export async function resolve(
  specifier: string,
  context: unknown,
  next: (specifier: string, context: unknown) => Promise<Resolved>,
): Promise<Resolved> {
  const url = Object.hasOwn(urls, specifier) ? urls[specifier] : undefined;
  return url === undefined ? await next(specifier, context) : { url, shortCircuit: true };
}
