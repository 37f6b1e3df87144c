/** The conformance suite on the host's KVM: all of it where the kernel has VMX or SVM, else what it can emulate. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { registerConformance } from '@vireo/hypervisor/conformance';
import {
  EXPECTED_ON_HARDWARE,
  isOnHardware,
  kvmSubject,
  missingDevice,
} from './testing/conformance-subject.ts';

const missing = missingDevice();
if (missing !== undefined) {
  test('conformance of KVM', { skip: missing }, () => {});
} else {
  const subject = kvmSubject();
  if (isOnHardware) {
    test('a KVM on VMX or SVM has every feature that such hosts have', () => {
      assert.deepEqual(
        EXPECTED_ON_HARDWARE.filter((feature) => !subject.features.has(feature)),
        [],
      );
    });
  }
  registerConformance(subject);
}
