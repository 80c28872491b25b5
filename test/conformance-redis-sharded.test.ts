// The adapter 'redis-sharded', with real processes.
import { conformance } from './support/conformance';

conformance('redis-sharded');
