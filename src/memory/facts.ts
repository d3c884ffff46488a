/** What is known of a memory beside its text. */

/** What filters are asked about. */
export interface Facts {
  readonly tags: readonly string[];
  readonly section: string | undefined;
  readonly persona: string | undefined;
  readonly actor: string | undefined;
  readonly session: string | undefined;
  readonly importance: number | undefined;
  /** ISO 8601, of the last change. */
  readonly time: string;
  readonly metadata: Readonly<Record<string, unknown>>;
}
