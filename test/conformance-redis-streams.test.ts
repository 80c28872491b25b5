// The adapter 'redis-streams', with real processes.
import { conformance } from './support/conformance';

conformance('redis-streams');
