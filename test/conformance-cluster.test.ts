// The adapter 'cluster', with real processes.
import { conformance } from './support/conformance';

conformance('cluster');
