import type { User, WxpassError } from "@wxpass/miniprogram";

import { client, handleError } from "../../auth";

Page({
  data: { user: null as User | null },

  /** Show the user. The client logs in unless the person has logged out. */
  onShow() {
    client.me().then(
      (user) => this.setData({ user }),
      (error: WxpassError) => {
        this.setData({ user: null });
        handleError(error);
      },
    );
  },

  onLogin() {
    client.login().then(() => this.onShow(), handleError);
  },

  onLogout() {
    client.logout().then(() => this.onShow(), handleError);
  },
});
