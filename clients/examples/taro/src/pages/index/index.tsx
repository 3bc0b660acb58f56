import { Button, View } from "@tarojs/components";
import Taro, { useDidShow } from "@tarojs/taro";
import type { User } from "@wxpass/miniprogram";
import { useState } from "react";

import { client } from "../../auth";

export default function Index() {
  const [user, setUser] = useState<User | null>(null);
  useDidShow(async () => setUser(await client.me()));

  async function logOut() {
    await client.logout();
    await Taro.reLaunch({ url: "/pages/phone/phone" });
  }

  return (
    <View>
      {user && (user.nickname || user.phone)}
      <Button onClick={logOut}>Log out</Button>
    </View>
  );
}
