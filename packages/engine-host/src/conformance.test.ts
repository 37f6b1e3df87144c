/** The conformance suite on the engine: all of it, since nothing of it depends on the host. */
import { registerConformance } from '@vireo/hypervisor/conformance';
import { engineSubject } from './testing/conformance-subject.ts';

registerConformance(await engineSubject());
