/** What `vireo doctor` finds. The JSON form is described by doctor-report.schema.json; other changes raise its version. */

export const REPORT_VERSION = 2;

/** 'fail': no VM can run. 'warn': something is missing that some VMs want. */
export type Status = 'ok' | 'warn' | 'fail';

export interface Check {
  /** Stable; scripts may look for it. */
  readonly id: string;
  readonly title: string;
  readonly status: Status;
  /** What was found, in words. */
  readonly found: string;
  /** What to do about it; always there unless the status is 'ok'. */
  readonly advice?: string;
}

export interface DoctorReport {
  readonly version: typeof REPORT_VERSION;
  readonly vireo: string;
  readonly canRunVms: boolean;
  /** What `--accel auto` takes; null when there is none. */
  readonly accelerator: 'kvm' | 'wasm' | null;
  readonly checks: readonly Check[];
}

export function ok(id: string, title: string, found: string): Check {
  return { id, title, status: 'ok', found };
}

export function warn(id: string, title: string, found: string, advice: string): Check {
  return { id, title, status: 'warn', found, advice };
}

export function fail(id: string, title: string, found: string, advice: string): Check {
  return { id, title, status: 'fail', found, advice };
}
