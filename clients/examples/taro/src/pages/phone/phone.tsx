import { Button } from "@tarojs/components";
import Taro from "@tarojs/taro";
import type { PhoneEvent } from "@wxpass/miniprogram";

import { client, handleError } from "../../auth";

function bindPhone(event: PhoneEvent) {
  client.onPhone(event).then(() => Taro.reLaunch({ url: "/pages/index/index" }), handleError);
}

export default function Phone() {
  return (
    <Button openType="getPhoneNumber" onGetPhoneNumber={bindPhone}>
      Log in by phone
    </Button>
  );
}
