/** Client of wxpass for WeChat mini-programs. */

export { createClient, getClient } from "./client";
export { isWxpassError } from "./errors";
export { cloudTransport, taroTransport, uniTransport, wxTransport } from "./transports/platform";

export type { PhoneEvent, ProfileEvent } from "./buttons";
export type { Call } from "./control";
export type { Reason, WxpassError } from "./errors";
export type { Events } from "./events";
export type { CloudApi, Container, PlatformApi } from "./transports/platform";
export type { Exchange, Transport, TransportRequest, TransportResponse } from "./transports/transport";
export type {
  Client,
  ClientOptions,
  Login,
  LoginOptions,
  Profile,
  RequestOptions,
  SessionInfo,
  SessionPage,
  User,
} from "./types";
