/** The client of this mini-program, and what its pages do with an error. */

import { createClient, uniTransport, type WxpassError } from "@wxpass/miniprogram";

export const client = createClient({
  baseUrl: "https://login.example.com",
  transport: uniTransport(),
});

client.on("kicked", (error) => {
  uni.showToast({ title: error.message, icon: "none" });
  uni.reLaunch({ url: "/pages/index/index" });
});

/** Errors that need no message: a person logged out, or declined in a dialog of WeChat. */
const EXPECTED = ["ended", "declined"];

/** Show the phone button to a person who is not a user yet. Show a message for other errors. */
export function handleError(error: Pick<WxpassError, "reason" | "message">): void {
  if (error.reason === "unbound") uni.reLaunch({ url: "/pages/phone/phone" });
  else if (EXPECTED.indexOf(error.reason) < 0) uni.showToast({ title: error.message, icon: "none" });
}
