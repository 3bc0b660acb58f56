import type { Login, WxpassError } from "@wxpass/miniprogram";

import { handleError } from "../../auth";

Page({
  onLogin(event: WechatMiniprogram.CustomEvent<Login>) {
    if (event.detail.bound) void wx.reLaunch({ url: "/pages/index/index" });
  },

  onFail(event: WechatMiniprogram.CustomEvent<WxpassError>) {
    handleError(event.detail);
  },
});
