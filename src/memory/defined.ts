/** An object without the members that are undefined, which JSON does not know. */
export type Defined<T> = {
  [Member in keyof T as undefined extends T[Member] ? never : Member]: T[Member];
} & {
  [Member in keyof T as undefined extends T[Member] ? Member : never]?: NonNullableMember<
    T[Member]
  >;
};

type NonNullableMember<T> = T extends undefined ? never : T;

/** The members that are not undefined. */
export function defined<T extends object>(members: T): Defined<T> {
  const kept = Object.entries(members).filter(([, value]) => value !== undefined);
  return Object.fromEntries(kept) as Defined<T>;
}
