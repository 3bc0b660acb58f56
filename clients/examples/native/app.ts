import { client } from "./auth";

App({
  async onLaunch() {
    const { bound } = await client.login();
    if (!bound) void wx.reLaunch({ url: "/pages/phone/phone" });
  },
});
