// A better-auth plugin: POST /sign-in/wechat logs in with the code of `wx.login`.
import { APIError, createAuthEndpoint } from "better-auth/api";
import { z } from "zod";

const PROVIDER = "wechat";

export function wechat({ appid, secret, url }) {
  async function exchange(code) {
    const query = new URLSearchParams({
      appid,
      secret,
      js_code: code,
      grant_type: "authorization_code",
    });
    // The fetch of Node keeps connections open.
    const response = await fetch(`${url}/sns/jscode2session?${query}`, {
      signal: AbortSignal.timeout(5000),
    });
    const identity = await response.json();
    if (!identity.openid) throw new APIError("UNAUTHORIZED", { message: identity.errmsg });
    return identity;
  }

  async function findOrCreateUser(accounts, openid) {
    const account = await accounts.findAccountByKey({ providerId: PROVIDER, accountId: openid });
    if (account) return account.userId;
    // Users of better-auth must have an email address and a name.
    const { user } = await accounts.createOAuthUser(
      { email: `${openid}@wechat.invalid`, emailVerified: false, name: "WeChat user" },
      { providerId: PROVIDER, accountId: openid },
    );
    return user.id;
  }

  return {
    id: PROVIDER,
    // better-auth has no index for this search. Without one, each login would read all accounts.
    schema: {
      account: { fields: {}, indexes: [{ fields: ["providerId", "accountId"], unique: true }] },
    },
    endpoints: {
      signInWechat: createAuthEndpoint(
        "/sign-in/wechat",
        { method: "POST", body: z.object({ code: z.string() }) },
        async (ctx) => {
          const { openid } = await exchange(ctx.body.code);
          const userId = await findOrCreateUser(ctx.context.internalAdapter, openid);
          const session = await ctx.context.internalAdapter.createSession(userId);
          return ctx.json({ token: session.token, userId });
        },
      ),
    },
  };
}
