/** The files in which a host says what it can do: /proc, /sys, /dev and a few more, below a root that tests may move. */
import { accessSync, constants, readdirSync, readFileSync, type Stats, statSync } from 'node:fs';

export class HostFiles {
  readonly #root: string;

  constructor(root = '') {
    this.#root = root;
  }

  /** Whether this is the host that runs Vireo, and not a picture of one. */
  get isReal(): boolean {
    return this.#root === '';
  }

  /** The file's text without blanks around it; undefined when it cannot be read, for whatever reason. */
  read(path: string): string | undefined {
    try {
      return readFileSync(this.#root + path, 'utf8').trim();
    } catch {
      return undefined;
    }
  }

  stat(path: string): Stats | undefined {
    try {
      return statSync(this.#root + path);
    } catch {
      return undefined;
    }
  }

  exists(path: string): boolean {
    return this.stat(path) !== undefined;
  }

  list(path: string): string[] {
    try {
      return readdirSync(this.#root + path);
    } catch {
      return [];
    }
  }

  isExecutable(path: string): boolean {
    try {
      accessSync(this.#root + path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  }

  /** The number in a file of one number. */
  readNumber(path: string): number | undefined {
    const text = this.read(path);
    return text !== undefined && /^-?\d+$/.test(text) ? Number(text) : undefined;
  }
}
