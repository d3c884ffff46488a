/**
 * The interface by which schema libraries can be told to check a value, whichever they are (https://standardschema.dev, version 1).
 * Written down here because it is an interface of types alone: no library is needed for it.
 */

export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': StandardProperties<Input, Output>;
}

export interface StandardProperties<Input = unknown, Output = Input> {
  readonly version: 1;
  /** The library it comes from. */
  readonly vendor: string;
  /** Gives the value, perhaps changed, or what is wrong with it; or a promise of either. */
  readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>;
  /** Never there at run time: it carries the types. */
  readonly types?: { readonly input: Input; readonly output: Output } | undefined;
}

export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] };

export interface StandardIssue {
  readonly message: string;
  /** From the value checked to the part that is wrong. */
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** What a schema takes. */
export type InputOfSchema<Schema extends StandardSchema> = NonNullable<
  Schema['~standard']['types']
>['input'];

/** What a schema gives. */
export type OutputOfSchema<Schema extends StandardSchema> = NonNullable<
  Schema['~standard']['types']
>['output'];

/** Schemas of some libraries are functions. */
export function isStandardSchema(value: unknown): value is StandardSchema {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false;
  const properties = (value as Partial<StandardSchema>)['~standard'];
  return (
    typeof properties === 'object' &&
    properties !== null &&
    properties.version === 1 &&
    typeof properties.validate === 'function'
  );
}
