// Runs the conformance suite (support/conformance.ts) for each adapter, with real processes.
import { conformance } from './support/conformance';
import { ADAPTERS } from './support/conformance/adapters';

for (const [name, options] of Object.entries(ADAPTERS)) conformance(name, options);
