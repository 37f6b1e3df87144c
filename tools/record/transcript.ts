// biome-ignore-all lint/suspicious/noControlCharactersInRegex: control characters are what terminals are driven by.
/**
 * What a terminal showed, line by line, and when: enough of ECMA-48 (5th edition) for programs that print, scroll and
 * edit the line they are on. Programs that move the cursor over the screen are not for this.
 */

/** One character, how it looks, and when it was written. */
export interface Cell {
  readonly character: string;
  readonly dim: boolean;
  readonly atMs: number;
}

export interface Line {
  /** When the cursor came to it. */
  readonly sinceMs: number;
  readonly cells: Cell[];
}

const TAB_COLUMNS = 8;
/** CSI: parameters, then the letter that says what to do; or a short escape sequence, or a control character. */
const TOKEN = /\x1b\[([0-9;?]*)([@-~])|\x1b[ -Z\\-~]|[\x00-\x1f\x7f]|[^\x00-\x1f\x7f\x1b]/gu;
/** What may still be the start of a sequence. */
const UNFINISHED = /\x1b(\[[0-9;?]*)?$/;

export class Transcript {
  readonly lines: Line[] = [{ sinceMs: 0, cells: [] }];
  readonly #columns: number;
  #column = 0;
  #dim = false;
  #rest = '';

  constructor(columns: number) {
    this.#columns = columns;
  }

  /** Takes what was printed at a time; times never go back. */
  print(text: string, atMs: number): void {
    const whole = this.#rest + text;
    this.#rest = UNFINISHED.exec(whole)?.[0] ?? '';
    const finished = whole.slice(0, whole.length - this.#rest.length);
    for (const [token, parameters, letter] of finished.matchAll(TOKEN)) {
      if (letter !== undefined) this.#control(letter, parameters ?? '');
      else if (token < ' ' || token === '\x7f') this.#move(token, atMs);
      else if (!token.startsWith('\x1b')) this.#put(token, atMs);
    }
  }

  #move(control: string, atMs: number): void {
    if (control === '\n') this.#newLine(atMs);
    else if (control === '\r') this.#column = 0;
    else if (control === '\b') this.#column = Math.max(0, this.#column - 1);
    else if (control === '\t') {
      const next = (Math.floor(this.#column / TAB_COLUMNS) + 1) * TAB_COLUMNS;
      while (this.#column < Math.min(next, this.#columns)) this.#put(' ', atMs);
    }
  }

  #control(letter: string, parameters: string): void {
    // Erase to the end of the line, or of the screen: nothing of ours is below the line.
    if ((letter === 'K' || letter === 'J') && (parameters === '' || parameters === '0'))
      this.#cells.length = Math.min(this.#cells.length, this.#column);
    else if (letter === 'C')
      this.#column = Math.min(this.#columns - 1, this.#column + (Number(parameters) || 1));
    else if (letter === 'D') this.#column = Math.max(0, this.#column - (Number(parameters) || 1));
    else if (letter === 'm') for (const attribute of parameters.split(';')) this.#setAttribute(attribute);
  }

  #setAttribute(attribute: string): void {
    if (attribute === '2') this.#dim = true;
    else if (attribute === '' || attribute === '0' || attribute === '22') this.#dim = false;
  }

  #put(character: string, atMs: number): void {
    if (this.#column === this.#columns) {
      this.#newLine(atMs);
      this.#column = 0;
    }
    while (this.#cells.length < this.#column) this.#cells.push({ character: ' ', dim: false, atMs });
    this.#cells[this.#column] = { character, dim: this.#dim, atMs };
    this.#column++;
  }

  #newLine(atMs: number): void {
    this.lines.push({ sinceMs: atMs, cells: [] });
  }

  get #cells(): Cell[] {
    return this.lines.at(-1)!.cells;
  }
}
