/** The client of this mini-program, and what its pages do with an error. */

import { createClient, type WxpassError } from "@wxpass/miniprogram";

export const client = createClient({ baseUrl: "https://login.example.com" });

client.on("kicked", (error) => {
  void wx.showToast({ title: error.message, icon: "none" });
  void wx.reLaunch({ url: "/pages/index/index" });
});

/** Errors that need no message: a person logged out, or declined in a dialog of WeChat. */
const EXPECTED = ["ended", "declined"];

/** Show the phone button to a person who is not a user yet. Show a message for other errors. */
export function handleError(error: Pick<WxpassError, "reason" | "message">): void {
  if (error.reason === "unbound") void wx.reLaunch({ url: "/pages/phone/phone" });
  else if (EXPECTED.indexOf(error.reason) < 0) void wx.showToast({ title: error.message, icon: "none" });
}
