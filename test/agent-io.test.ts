// agent.io with real processes and the default adapter, on each major of Egg: the way from the agent to the workers is Egg's. The other
// adapters: test/conformance-*.test.ts.
import { agentConformance } from './support/conformance';

agentConformance('cluster');
