/** Scenes about sessions: time, races, devices and operators. */

import { post } from "../backend";
import { bindByPhone, expectScreen, useNewMember, useNewPerson } from "./people";
import { Scene, SHOP, until } from "./scene";

const nextDay: Scene = {
  id: "next-day",
  en: {
    title: "The next day",
    about: "The member comes back after a day and is logged in without a dialog.",
    steps: ["A member is logged in.", "24 hours pass for the sessions of the service.", "The member opens the mini-program again."],
    checks: ["The same user is logged in.", "The refresh token was enough: no wx.login and no dialog."],
  },
  zh: {
    title: "第二天静默登录",
    about: "会员一天后回来，无需任何弹窗即保持登录。",
    steps: ["会员已登录。", "服务端的会话经过 24 小时。", "会员重新打开小程序。"],
    checks: ["登录的是同一用户。", "仅用刷新凭证即可：没有 wx.login，也没有弹窗。"],
  },
  steps: [
    async ({ left }) => void (await useNewMember(left)),
    async () => post("time", { hours: 24 }),
    async ({ left, traffic }) => {
      const before = left.program.state.user?.id;
      const { person, appid } = left.program.wx;
      await left.use(person, appid);
      const logins = await traffic.of("wx.login");
      const refreshes = await traffic.of("refresh");
      const isSame = !!before && left.program.state.user?.id === before;
      return [isSame, logins.length === 1 && refreshes.length === 1 && refreshes[0].status === 200];
    },
  ],
};

const expired: Scene = {
  id: "expired",
  en: {
    title: "Expired token",
    about: "Three requests meet an expired token at the same moment, and one refresh serves all of them.",
    steps: ["A member is logged in.", "3 hours pass, and the login token expires after 2.", "The mini-program sends three requests at the same moment."],
    checks: ["All three requests succeeded.", "One refresh was sent."],
  },
  zh: {
    title: "凭证过期与刷新",
    about: "三个请求同时遇到过期的凭证，只刷新一次。",
    steps: ["会员已登录。", "经过 3 小时，登录凭证的有效期为 2 小时。", "小程序同时发出三个请求。"],
    checks: ["三个请求都成功。", "只发送了一次刷新。"],
  },
  steps: [
    async ({ left }) => void (await useNewMember(left)),
    async () => post("time", { hours: 3 }),
    async ({ left, traffic }) => {
      const { client } = left.program;
      const users = await Promise.all([client.me(), client.me(), client.me()]);
      const areSame = users.every((user) => user.id === left.program.state.user?.id);
      return [areSame, (await traffic.of("refresh")).length === 1];
    },
  ],
};

const sessionKeys: Scene = {
  id: "session-key",
  en: {
    title: "session_key race",
    about: "A login changes the session_key between the tap on the old phone button and the request.",
    steps: [
      "A new person with an old WeChat logs in and taps the phone button.",
      "Before the data is sent, the mini-program calls wx.login again. The data is encrypted with the previous session_key.",
      "WeChat replaces the session_key once more, without a login. The person taps the button.",
      "The person taps the button again.",
    ],
    checks: [
      "wxpass decrypted the data with the previous session_key.",
      "Data of a session_key that wxpass never received was refused: session_key_expired.",
      "The client package had logged in again, so the next tap worked.",
    ],
  },
  zh: {
    title: "session_key 竞态",
    about: "点击旧版手机号按钮之后、请求发出之前，一次登录更换了 session_key。",
    steps: [
      "使用旧版微信的新用户登录，并点击手机号按钮。",
      "数据发出之前，小程序再次调用 wx.login，因此数据是用上一个 session_key 加密的。",
      "微信在没有登录的情况下再次更换 session_key，用户点击按钮。",
      "用户再次点击按钮。",
    ],
    checks: [
      "wxpass 用上一个 session_key 解密了数据。",
      "wxpass 从未收到过的 session_key 所加密的数据被拒绝：session_key_expired。",
      "客户端包已重新登录，所以再次点击成功。",
    ],
  },
  steps: [
    async ({ left }) => {
      await useNewPerson(left);
      left.setOld(true);
      await left.program.logIn();
    },
    async ({ left }) => {
      const { program } = left;
      const tapped = await program.wx.tapPhone(true);
      await program.act(async () => {
        await program.client.login({ fresh: true });
        await program.client.onPhone(tapped);
      });
      expectScreen(program, "member");
    },
    async ({ left }) => {
      const { person, appid } = left.program.wx;
      await post("session-key", { person, appid });
      await bindByPhone(left.program);
    },
    async ({ left, traffic }) => {
      const isRefused = left.program.failure === "session_key_expired";
      await bindByPhone(left.program);
      const statuses = (await traffic.of("phone")).map((one) => one.status);
      return [statuses[0] === 200, isRefused && statuses[1] === 409, statuses[2] === 200];
    },
  ],
};

const repeatedCode: Scene = {
  id: "repeated-code",
  en: {
    title: "Repeated code",
    about: "A lost response makes a phone send its code again. Another phone must not use it.",
    steps: ["A new person logs in.", "The response is lost, and the phone sends the same code again.", "Another phone sends the code."],
    checks: ["The same phone got the same login.", "The other phone was refused: code_used."],
  },
  zh: {
    title: "重复的 code",
    about: "应答丢失后手机会重发同一个 code；其他手机不能使用它。",
    steps: ["新用户登录。", "应答丢失，手机重发同一个 code。", "另一部手机发送该 code。"],
    checks: ["同一部手机得到同一个登录。", "另一部手机被拒绝：code_used。"],
  },
  steps: [
    async ({ left, right }) => {
      const person = await useNewPerson(left);
      await right.use(person, SHOP);
      code = await new Promise((resolve) => left.program.wx.login({ success: (result) => resolve(result.code) }));
      await sendCode(left.program.wx);
    },
    async ({ left }) => sendCode(left.program.wx),
    async ({ right, traffic }) => {
      await sendCode(right.program.wx);
      const [first, second, third] = await traffic.of("login");
      const isSame = first.answer.token === second.answer.token && second.facts.decision === "repeat";
      return [isSame, third.status === 400 && third.answer.code === "code_used"];
    },
  ],
};

let code = "";

/** Send the code without the client package, which never sends a code twice. */
function sendCode(wx: { request: (options: any) => any }): Promise<void> {
  const url = new URL(`service/v1/apps/${SHOP}/login`, location.href).href;
  const header = { "content-type": "application/json" };
  return new Promise((resolve, reject) => {
    wx.request({ url, method: "POST", data: { code }, header, success: () => resolve(), fail: reject });
  });
}

const secondDevice: Scene = {
  id: "second-device",
  en: {
    title: "Second device",
    about: "A member sees both phones and logs one of them out from the other.",
    steps: ["A member logs in on phone 1.", "The member logs in on phone 2.", "Phone 1 lists the devices and ends phone 2.", "The member taps something on phone 2."],
    checks: ["Phone 2 was bound at its first login.", "Phone 1 listed two sessions.", "Phone 2 was told that its session was ended."],
  },
  zh: {
    title: "第二台设备",
    about: "会员能看到两部手机，并从一部手机上让另一部下线。",
    steps: ["会员在手机 1 上登录。", "会员在手机 2 上登录。", "手机 1 列出设备并让手机 2 下线。", "会员在手机 2 上点击。"],
    checks: ["手机 2 首次登录即已绑定。", "手机 1 列出了两个会话。", "手机 2 得知会话已被结束。"],
  },
  steps: [
    async ({ left }) => void (await useNewMember(left)),
    async ({ left, right }) => {
      await right.use(left.program.wx.person, SHOP);
      await right.program.logIn();
      expectScreen(right.program, "member");
    },
    async ({ left }) => {
      await left.program.listDevices();
      const other = left.program.state.sessions.find((session) => !session.current);
      if (other) await left.program.endDevice(other.id);
    },
    async ({ right, traffic }) => {
      await right.program.act(async () => void (await right.program.client.me()));
      const isBound = (await traffic.of("login")).slice(-1)[0]?.answer.bound === true;
      const lists = (await traffic.of("sessions")).filter((one) => Array.isArray(one.answer));
      return [isBound, lists[0].answer.length === 2, right.program.kicked === "session_revoked"];
    },
  ],
};

const console: Scene = {
  id: "console",
  en: {
    title: "Ended in the console",
    about: "An operator ends the session of a member.",
    steps: ["A member is logged in.", "An operator of Acme ends the session in the console.", "The member taps something."],
    checks: ["wxpass refused the next request: session_revoked.", "The client package logged the phone out."],
  },
  zh: {
    title: "控制台结束会话",
    about: "管理员结束一位会员的会话。",
    steps: ["会员已登录。", "Acme 的管理员在控制台结束该会话。", "会员点击小程序。"],
    checks: ["wxpass 拒绝了下一个请求：session_revoked。", "客户端包让手机退出登录。"],
  },
  steps: [
    async ({ left }) => {
      await useNewMember(left);
      await left.program.listDevices();
    },
    async ({ left }) => {
      const own = left.program.state.sessions.find((session) => session.current);
      await post("end-session", { appid: SHOP, session_id: own?.id });
    },
    async ({ left, traffic }) => {
      // Other processes learn of it within a second at worst.
      await until(async () => {
        await left.program.act(async () => void (await left.program.client.me()));
        return !!left.program.kicked;
      });
      const last = (await traffic.of("me")).slice(-1)[0];
      const isRefused = last.status === 401 && last.answer.code === "session_revoked";
      return [isRefused, left.program.kicked === "session_revoked" && left.program.state.screen === "kicked"];
    },
  ],
};

export const SESSIONS = [nextDay, expired, sessionKeys, repeatedCode, secondDevice, console];
