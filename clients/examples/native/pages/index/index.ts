import type { User } from "@wxpass/miniprogram";

import { client } from "../../auth";

Page({
  data: { user: null as User | null },

  async onShow() {
    this.setData({ user: await client.me() });
  },

  async onLogout() {
    await client.logout();
    await wx.reLaunch({ url: "/pages/phone/phone" });
  },
});
