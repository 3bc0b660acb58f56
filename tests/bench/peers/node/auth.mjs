// The configuration of better-auth. Settings that are not named here have their defaults.
import { bearer } from "better-auth/plugins";
import { Pool } from "pg";
import { wechat } from "./wechat_plugin.mjs";

const { COOKIE_CACHE_SECONDS, DATABASE_URL, PORT, SECRET, WECHAT_API_BASE_URL } = process.env;

export const options = {
  baseURL: `http://127.0.0.1:${PORT}`,
  secret: SECRET,
  // 10 connections for each process, which is the default of the pool.
  database: new Pool({ connectionString: DATABASE_URL }),
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  session: COOKIE_CACHE_SECONDS
    ? { cookieCache: { enabled: true, maxAge: Number(COOKIE_CACHE_SECONDS) } }
    : {},
  plugins: [
    bearer(),
    wechat({
      appid: process.env.WECHAT_APPID,
      secret: process.env.WECHAT_SECRET,
      url: WECHAT_API_BASE_URL,
    }),
  ],
};
