// The public entry point: types and error classes.
export type { AccessEntry, AccessLine } from './access-log';
export type { AgentIo, AgentNamespace } from './agent/io';
export type {
  AdapterConfig,
  AdapterConstructor,
  AdapterName,
  AdminConfig,
  AllowedOrigins,
  ExpiresConfig,
  InitConfig,
  IoConfig,
  LimitsConfig,
  MetricsConfig,
  NamespaceConfig,
  OtelConfig,
  PresenceConfig,
  RedisConfig,
} from './config/config';
export type { DrainConfig } from './config/drain-options';
export type {
  DescribedArgument,
  DescribedEvent,
  DescribedNamespace,
  DescribedRoute,
  DescribedValue,
  IoDescription,
  JsonSchema,
} from './description';
export type {
  BroadcastMessage,
  Carrier,
  ConnectionMessage,
  ConnectionOutcome,
  DeliveryMessage,
  DisconnectMessage,
  EventMessage,
  EventOutcome,
  LimitMessage,
  OutageMessage,
  RefusalMessage,
} from './diagnostics';
export type { OnError, ThrownError } from './error-response';
export type { AckError, ArgumentIssue } from './errors';
export {
  AckTimeoutError,
  ConfigError,
  DisconnectedError,
  ExpiredError,
  InvalidArgumentsError,
  LimitError,
  NoRouteError,
} from './errors';
export type { FindExpiry, FoundExpiry } from './expiry';
export type { AdapterHealth, AdapterMessages, IoHealth, LinksHealth } from './health';
export type { RateLimit, RateLimitKey } from './limits/rate-limit';
export type { IoRoute, IoRoutes, NamespaceRoutes } from './route-table';
export type { Routed, RouteTail } from './router';
export type { IoServer } from './server';
export type {
  ConnectionStats,
  DurationStats,
  HandshakeStats,
  LimitedStats,
  NamespaceStats,
  Protocol,
} from './stats';
export type {
  IoClientFactory,
  IoClientOptions,
  IoRefusal,
  IoTestClient,
  MockIoContext,
  MockIoContextOptions,
} from './testkit/types';
export type { ExpiryEvents, Handler, IoContext, IoSocket, Middleware, ReauthenticateOptions } from './types/context';
export type {} from './types/egg';
export type {
  ControllerPath,
  EventContext,
  EventsMap,
  HandlerOf,
  IoController,
  IoMiddleware,
  NamespaceTypes,
  SocketOf,
} from './types/events';
export type { IoNamespace, RouteOf, UserId, UserOf } from './types/namespace';
export type {
  AgentPresence,
  Presence,
  PresenceEntries,
  PresenceEvents,
  PresenceList,
  PresenceMeta,
} from './types/presence';
export type {
  ContextOf,
  EmittedBy,
  EmittedSchemas,
  EventSchema,
  EventSchemas,
  EventsOf,
  StandardSchema,
  ValidatedHandler,
} from './types/schema';
export type { FindUser, FoundUser } from './users';
export type { EventStats, IoStats, NamespaceWithProtocols } from './worker-stats';
