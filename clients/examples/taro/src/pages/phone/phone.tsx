import { Button } from "@tarojs/components";
import Taro from "@tarojs/taro";
import { isWxpassError, type PhoneEvent } from "@wxpass/miniprogram";

import { client } from "../../auth";

async function bindPhone(event: PhoneEvent) {
  try {
    await client.onPhone(event);
    await Taro.reLaunch({ url: "/pages/index/index" });
  } catch (error) {
    if (!isWxpassError(error)) throw error;
    if (error.reason !== "declined") await Taro.showToast({ title: error.message, icon: "none" });
  }
}

export default function Phone() {
  return (
    <Button openType="getPhoneNumber" onGetPhoneNumber={bindPhone}>
      Log in by phone
    </Button>
  );
}
