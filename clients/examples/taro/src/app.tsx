import Taro, { useLaunch } from "@tarojs/taro";
import type { PropsWithChildren } from "react";

import { client } from "./auth";

export default function App({ children }: PropsWithChildren) {
  useLaunch(async () => {
    const { bound } = await client.login();
    if (!bound) await Taro.reLaunch({ url: "/pages/phone/phone" });
  });
  return children;
}
