import type { Login, WxpassError } from "@wxpass/miniprogram";

Page({
  onLogin(event: WechatMiniprogram.CustomEvent<Login>) {
    if (event.detail.bound) void wx.reLaunch({ url: "/pages/index/index" });
  },

  onFail({ detail }: WechatMiniprogram.CustomEvent<WxpassError>) {
    if (detail.reason !== "declined") void wx.showToast({ title: detail.message, icon: "none" });
  },
});
