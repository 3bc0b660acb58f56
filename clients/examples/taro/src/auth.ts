/** The client of this mini-program. */

import Taro from "@tarojs/taro";
import { createClient, taroTransport } from "@wxpass/miniprogram";

export const client = createClient({
  baseUrl: "https://login.example.com",
  transport: taroTransport(Taro),
});

client.on("kicked", (error) => {
  void Taro.showToast({ title: error.message, icon: "none" });
  void Taro.reLaunch({ url: "/pages/phone/phone" });
});
