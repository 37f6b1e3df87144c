/** Something the user can mend: a stable code, one sentence, and the fix. Shown without a stack trace. */
export class UserError extends Error {
  override readonly name = 'UserError';
  /** Stable, kebab-case; scripts may test it. */
  readonly code: string;
  /** What to do about it, an imperative sentence. */
  readonly fix?: string;

  constructor(code: string, message: string, fix?: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    if (fix !== undefined) this.fix = fix;
  }
}
