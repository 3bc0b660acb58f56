// A server with better-auth. GET /check is what a back end does with each request of its clients.
import { createServer } from "node:http";
import { betterAuth } from "better-auth";
import { fromNodeHeaders, toNodeHandler } from "better-auth/node";
import { options } from "./auth.mjs";
import { serve } from "./processes.mjs";

serve(() => {
  const auth = betterAuth(options);
  const handle = toNodeHandler(auth);

  async function ready(request, response) {
    response.end();
  }

  async function check(request, response) {
    const found = await auth.api.getSession({ headers: fromNodeHeaders(request.headers) });
    if (found) response.writeHead(204, { "X-User-Id": found.user.id }).end();
    else response.writeHead(401).end();
  }

  const routes = new Map([["/check", check], ["/ready", ready]]);
  createServer((request, response) => {
    const answer = routes.get(request.url) ?? handle;
    answer(request, response).catch((error) => {
      console.error(error);
      response.writeHead(500).end();
    });
  }).listen(Number(process.env.PORT), "127.0.0.1");
});
