// The adapter 'memory', with real processes.
import { conformance } from './support/conformance';

conformance('memory');
