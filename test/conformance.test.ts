// Each adapter, with real processes: see support/conformance.ts.
import { conformance } from './support/conformance';
import { ADAPTERS } from './support/conformance/adapters';

for (const [name, options] of Object.entries(ADAPTERS)) conformance(name, options);
