/** A guest saved under KVM resumes under the engine, and the other way round: wherever there is a KVM. */
import { test } from 'node:test';
import { engineSubject } from '@vireo/engine-host/testing/conformance-subject';
import { registerTransfers } from '@vireo/hypervisor/conformance';
import { kvmSubject, missingDevice } from './testing/conformance-subject.ts';

const missing = missingDevice();
if (missing === undefined) registerTransfers(kvmSubject(), await engineSubject());
else test('transfer between KVM and the engine', { skip: missing }, () => {});
