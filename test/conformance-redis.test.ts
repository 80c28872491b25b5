// The adapter 'redis', with real processes.
import { conformance } from './support/conformance';

conformance('redis');
