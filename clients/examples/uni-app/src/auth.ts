/** The client of this mini-program. */

import { createClient, uniTransport } from "@wxpass/miniprogram";

export const client = createClient({
  baseUrl: "https://login.example.com",
  transport: uniTransport(),
});

client.on("kicked", (error) => {
  uni.showToast({ title: error.message, icon: "none" });
  uni.reLaunch({ url: "/pages/phone/phone" });
});
