// The public entry: types and error classes, nothing that runs.
export type { AdapterConstructor, AdapterName } from './adapter/config';
export type { AgentIo, AgentNamespace } from './agent/io';
export type { Middleware } from './chain';
export type { AdapterConfig, DrainConfig, InitConfig, IoConfig, NamespaceConfig, RedisConfig } from './config';
export { ConfigError } from './errors';
export type { Handler } from './router';
export type { IoServer } from './server';
export type { IoContext, IoController, IoMiddleware, IoNamespace, IoSocket } from './typings';
