/** Why compressed bytes could not be unpacked: facts for the caller, who knows the file's name and what to do. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError';
  /** 'damaged': the bytes contradict themselves; 'too-large': they unpack to more than the caller's limit. */
  readonly reason: 'damaged' | 'too-large' | 'unsupported';

  constructor(reason: 'damaged' | 'too-large' | 'unsupported', message: string) {
    super(message);
    this.reason = reason;
  }
}

export function damaged(message: string): DecodeError {
  return new DecodeError('damaged', message);
}
