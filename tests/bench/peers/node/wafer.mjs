// A server with wafer-node-session. The sessions are in PostgreSQL.
import { createRequire } from "node:module";
import express from "express";
import { Pool } from "pg";
import { serve } from "./processes.mjs";

const require = createRequire(import.meta.url);
const { DATABASE_URL, PORT, WECHAT_API_BASE_URL, WECHAT_APPID, WECHAT_SECRET } = process.env;

// wafer-node-session has no setting for the address of WeChat. It calls `request.get`.
const requestLibrary = require("request");
const { get } = requestLibrary;
requestLibrary.get = (options, done) =>
  get(
    { ...options, url: options.url.replace("https://api.weixin.qq.com", WECHAT_API_BASE_URL) },
    done,
  );
const wafer = require("wafer-node-session");
const PostgresStore = require("connect-pg-simple")(wafer);

// wafer-node-session returns errors with the status 200. The load generator counts only statuses
// from 400 on as errors.
function setStatusOfErrors(request, response, next) {
  const { json } = response;
  response.json = (body) => {
    if (!body.session) response.status(401);
    return json.call(response, body);
  };
  next();
}

serve(() => {
  const app = express();
  app.get("/ready", (request, response) => response.end());
  app.use(setStatusOfErrors);
  app.use(
    wafer({
      appId: WECHAT_APPID,
      appSecret: WECHAT_SECRET,
      loginPath: "/login",
      store: new PostgresStore({ pool: new Pool({ connectionString: DATABASE_URL }) }),
    }),
  );
  app.get("/check", (request, response) => {
    if (request.session) response.set("X-User-Id", request.session.userInfo.openId).status(204);
    else response.status(401);
    response.end();
  });
  app.listen(Number(PORT), "127.0.0.1");
});
