/** Two Express middlewares that admit the users of wxpass. Both set `req.userId`. */
import { createRemoteJWKSet, errors, jwtVerify } from "jose";

// The defaults are those of `make run`.
const {
  WXPASS_URL = "http://127.0.0.1:8000",
  WXPASS_TENANT = "acme",
  WXPASS_APPIDS = "wxaaaa000000000001,wxaaaa000000000002",
  WXPASS_ISSUER = "wxpass",
} = process.env;

const VERIFY_URL = `${WXPASS_URL}/v1/verify?tenant=${encodeURIComponent(WXPASS_TENANT)}`;
const TIMEOUT = 2_000;
const BEARER = /^bearer ([A-Za-z0-9._~+/=-]{1,4096})$/i;

const publicKeys = createRemoteJWKSet(new URL(`${WXPASS_URL}/.well-known/jwks.json`), {
  timeoutDuration: TIMEOUT,
  cacheMaxAge: 300_000,
  // An unknown `kid` fetches the keys again, at most once in this time.
  cooldownDuration: 5_000,
});

/** Admit requests with a login token. wxpass is asked each time. */
export async function requireLoginToken(req, res, next) {
  const token = findBearer(req);
  if (!token) return refuse(res, 401, "token_missing");
  let answer, body;
  try {
    answer = await fetch(VERIFY_URL, {
      headers: {
        authorization: `Bearer ${token}`,
        "accept-language": req.get("accept-language") ?? "",
      },
      redirect: "manual",
      signal: AbortSignal.timeout(TIMEOUT),
    });
    body = await answer.text();
  } catch {
    return refuse(res, 503, "wxpass_unavailable");
  }
  // The client needs the code in the body, for example to renew an expired session.
  if (answer.status === 401 || answer.status === 403) return sendProblem(res, answer.status, body);
  const userId = answer.headers.get("x-user-id");
  if (answer.status !== 204 || !userId) return refuse(res, 503, "wxpass_unavailable");
  req.userId = userId;
  return next();
}

/** Admit requests with a JWT of wxpass. The JWT is verified here. */
export async function requireJwt(req, res, next) {
  const token = findBearer(req);
  if (!token) return refuse(res, 401, "jwt_invalid");
  try {
    const { payload } = await jwtVerify(token, findKey, {
      algorithms: ["EdDSA", "ES256"],
      issuer: WXPASS_ISSUER,
      audience: WXPASS_APPIDS.split(","),
      requiredClaims: ["sub", "exp"],
      clockTolerance: 30,
    });
    req.userId = payload.sub;
  } catch (error) {
    if (error instanceof KeysUnavailable) return refuse(res, 503, "wxpass_unavailable");
    return refuse(res, 401, "jwt_invalid");
  }
  return next();
}

class KeysUnavailable extends Error {}

/** Return the public key of a JWT. Throw KeysUnavailable if wxpass does not answer. */
async function findKey(header, jwt) {
  if (!header.kid) throw new errors.JWTInvalid("no kid");
  try {
    return await publicKeys(header, jwt);
  } catch (error) {
    if (error instanceof errors.JWKSNoMatchingKey) throw error;
    throw new KeysUnavailable("no public keys", { cause: error });
  }
}

function findBearer(req) {
  return BEARER.exec(req.get("authorization") ?? "")?.[1];
}

/** Send a problem as wxpass does (RFC 9457). */
function refuse(res, status, code) {
  return sendProblem(res, status, JSON.stringify({ status, code }));
}

function sendProblem(res, status, body) {
  if (status === 401) res.set("WWW-Authenticate", "Bearer");
  return res.status(status).type("application/problem+json").send(body);
}
