/** The client of this mini-program. */

import { createClient } from "@wxpass/miniprogram";

export const client = createClient({ baseUrl: "https://login.example.com" });

client.on("kicked", (error) => {
  void wx.showToast({ title: error.message, icon: "none" });
  void wx.reLaunch({ url: "/pages/phone/phone" });
});
