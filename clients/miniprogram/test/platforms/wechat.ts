/** The built types beside WeChat's own. Checked, never run. */

import { cloudTransport, createClient, isWxpassError, wxTransport } from "@wxpass/miniprogram";
import type { Login, Reason, User } from "@wxpass/miniprogram";

const client = createClient({
  baseUrl: "https://login.example.com",
  transport: wxTransport(wx),
});
export const cloud = cloudTransport({ env: "prod-1", service: "wxpass" }, wx);

Page({
  async onPhone(event: WechatMiniprogram.ButtonGetPhoneNumber) {
    const login: Login = await client.onPhone(event);
    return login.user?.nickname;
  },
  async onLoad() {
    const user: User = await client.me();
    const call = client.request<{ orders: string[] }>({ url: "/orders" });
    call.abort();
    const { orders } = await call;
    this.setData({ id: user.id, orders });
  },
});

client.on("kicked", (error) => wx.showToast({ title: error.message, icon: "none" }));

export function reasonOf(error: unknown): Reason | null {
  return isWxpassError(error) ? error.reason : null;
}

// @ts-expect-error wx.request cannot send PATCH.
void client.request({ url: "/v1/me", method: "PATCH" });
