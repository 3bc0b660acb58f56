import { Button, View } from "@tarojs/components";
import { useDidShow } from "@tarojs/taro";
import type { User, WxpassError } from "@wxpass/miniprogram";
import { useState } from "react";

import { client, handleError } from "../../auth";

export default function Index() {
  const [user, setUser] = useState<User | null>(null);

  /** Show the user. The client logs in unless the person has logged out. */
  function show() {
    client.me().then(setUser, (error: WxpassError) => {
      setUser(null);
      handleError(error);
    });
  }
  useDidShow(show);

  if (!user) return <Button onClick={() => client.login().then(show, handleError)}>Log in</Button>;
  return (
    <View>
      {user.nickname || user.phone}
      <Button onClick={() => client.logout().then(show, handleError)}>Log out</Button>
    </View>
  );
}
