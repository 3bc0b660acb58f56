/** The native component <wxpass-phone-button>: a phone button that binds the person by phone. */

import type { WxpassError } from "../src/errors";
import { getClient } from "../src/index";
import type { PhoneEvent } from "../src/buttons";

/** The part of a component instance that the methods use. */
interface Instance {
  data: { appid: string; buttonId: string; busy: boolean };
  setData(data: object): void;
  triggerEvent(name: string, detail: object): void;
}

declare function Component(options: object): void;

Component({
  options: { addGlobalClass: true },
  externalClasses: ["button-class"],
  properties: {
    /** The appid of the client. Default: the newest client. */
    appid: { type: String, value: "" },
    /** `getPhoneNumber`, `getRealtimePhoneNumber`, or one of them and `|agreePrivacyAuthorization`. */
    openType: { type: String, value: "getPhoneNumber" },
    /** The id of the button, for the answer to `wx.onNeedPrivacyAuthorization`. */
    buttonId: { type: String, value: "wxpass-phone-button" },
    buttonType: { type: String, value: "primary" },
    size: { type: String, value: "default" },
    disabled: { type: Boolean, value: false },
  },
  data: { busy: false },
  methods: {
    /** Report that the person accepted the privacy agreement with the same tap. */
    onAgree(this: Instance): void {
      this.triggerEvent("agree", { buttonId: this.data.buttonId });
    },

    /** Bind the person. Triggers `login` with the login, or `fail` with code, reason and message. */
    onPhone(this: Instance, event: PhoneEvent): Promise<void> {
      this.setData({ busy: true });
      return Promise.resolve(this.data.appid)
        .then((appid) => getClient(appid).onPhone(event))
        .then(
          (login) => this.triggerEvent("login", login),
          (error: WxpassError) => {
            const { code, reason, message, retryAfter } = error;
            this.triggerEvent("fail", { code, reason, message, retryAfter });
          },
        )
        .then(() => this.setData({ busy: false }));
    },
  },
});
