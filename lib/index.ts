// The public entry: types and error classes, nothing that runs.
export { AckTimeoutError, NoRouteError } from './ack';
export type { AdapterConstructor, AdapterName } from './adapter/config';
export type { AgentIo, AgentNamespace } from './agent/io';
export type { Middleware } from './chain';
export type { AdapterConfig, DrainConfig, InitConfig, IoConfig, NamespaceConfig, RedisConfig } from './config';
export { ConfigError } from './errors';
export type { OnError, ThrownError } from './failures';
export type { Handler } from './route';
export type { Routed, RouteTail } from './router';
export type { IoServer } from './server';
export type { ConnectionStats, IoStats, NamespaceStats, Protocol } from './stats';
export type {
  IoClientFactory,
  IoClientOptions,
  IoRefusal,
  IoTestClient,
  MockIoContext,
  MockIoContextOptions,
} from './testkit/typings';
export type { AckError } from './told';
export type { IoContext, IoController, IoMiddleware, IoNamespace, IoSocket, RouteOf, UserOf } from './typings';
export type { ControllerPath } from './typings/controllers';
export type { EventContext, EventsMap, HandlerOf, NamespaceTypes, SocketOf } from './typings/events';
export type { FindUser, FoundUser, UserId } from './users';
