/**
 * Called while something long goes on: `done` of `total` units of the step named `what`
 * (bytes for downloads, items otherwise). `total` is 0 when it is not known yet.
 */
export type Progress = (done: number, total: number, what: string) => void;

export const noProgress: Progress = () => {};
