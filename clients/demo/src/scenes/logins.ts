/** Scenes about logging in and binding. */

import { post } from "../backend";
import { bindByPhone, useNewMember, useNewPerson } from "./people";
import { CLUB, decisionOf, LIFE, Scene, SHOP } from "./scene";

const firstLogin: Scene = {
  id: "first-login",
  en: {
    title: "First login",
    about: "WeChat names the person, but the company does not know the person yet.",
    steps: ["A new person opens Acme Shop.", "The person taps Log in. wxpass exchanges the code of wx.login with WeChat."],
    checks: ["The session is unbound: wxpass decided to wait.", "The session_key did not reach the phone."],
  },
  zh: {
    title: "首次登录",
    about: "微信能确认身份，但商家还不认识这个人。",
    steps: ["新用户打开 Acme Shop。", "用户点击“登录”，wxpass 用 wx.login 的 code 向微信换取身份。"],
    checks: ["会话未绑定：wxpass 决定等待。", "session_key 没有下发到手机。"],
  },
  steps: [
    async ({ left }) => void (await useNewPerson(left)),
    async ({ left, traffic }) => {
      await left.program.logIn();
      const logins = await traffic.of("login");
      const asked = await traffic.of("jscode2session");
      const isUnbound = left.program.state.screen === "unbound" && decisionOf(logins) === "wait";
      const hasKey = (answer: object) => JSON.stringify(answer).includes("session_key");
      return [isUnbound, hasKey(asked[0].answer) && !hasKey(logins[0].answer)];
    },
  ],
};

const phoneByCode: Scene = {
  id: "phone-code",
  en: {
    title: "Phone button",
    about: "The phone button gives a second code, which wxpass exchanges for the number.",
    steps: ["A new person logs in and is unbound.", "The person taps the phone button.", "The person allows it."],
    checks: ["The number is new, so wxpass registered a user.", "The session is bound and has a new token."],
  },
  zh: {
    title: "手机号按钮",
    about: "手机号按钮返回第二个 code，wxpass 用它向微信换取手机号。",
    steps: ["新用户登录，会话未绑定。", "用户点击手机号按钮。", "用户点击“允许”。"],
    checks: ["手机号是新的，wxpass 注册了新用户。", "会话已绑定，并换了新凭证。"],
  },
  steps: [
    async ({ left }) => {
      await useNewPerson(left);
      await left.program.logIn();
    },
    async ({ left }) => left.program.askForPhone(),
    async ({ left, traffic }) => {
      await left.program.answerPhone(true);
      const [bound] = await traffic.of("phone");
      const isNew = bound.answer.token !== bound.request.token;
      return [decisionOf([bound]) === "register", left.program.state.screen === "member" && isNew];
    },
  ],
};

const phoneByData: Scene = {
  id: "phone-data",
  en: {
    title: "Old phone button",
    about: "Old versions of WeChat give encrypted data instead of a code.",
    steps: [
      "The staff of Acme add a customer in the console.",
      "The customer opens Acme Shop with an old WeChat and logs in.",
      "The customer taps the phone button and allows it.",
    ],
    checks: ["wxpass bound the person to the customer that the staff added.", "WeChat was not asked: the session_key decrypts the number."],
  },
  zh: {
    title: "旧版手机号按钮",
    about: "旧版微信返回加密数据，而不是 code。",
    steps: ["Acme 的员工在控制台添加一位客户。", "客户用旧版微信打开 Acme Shop 并登录。", "客户点击手机号按钮并允许。"],
    checks: ["wxpass 把此人绑定到员工添加的客户。", "没有请求微信：用 session_key 即可解密手机号。"],
  },
  steps: [
    async ({ left }) => {
      const person = await useNewPerson(left);
      left.setOld(true);
      await post("customer", { appid: SHOP, person, nickname: `VIP ${person}` });
    },
    async ({ left }) => left.program.logIn(),
    async ({ left, traffic }) => {
      await bindByPhone(left.program);
      const { user } = left.program.state;
      const isBound = decisionOf(await traffic.of("phone")) === "bind";
      const asked = await traffic.of("getuserphonenumber");
      return [isBound && user?.nickname === `VIP ${left.program.wx.person}`, asked.length === 0];
    },
  ],
};

const refusal: Scene = {
  id: "refusal",
  en: {
    title: "Refusal",
    about: "The person declines to give the phone number.",
    steps: ["A new person logs in and taps the phone button.", "The person taps Don't allow."],
    checks: ["The client package reports: declined.", "Nothing was sent to wxpass."],
  },
  zh: {
    title: "拒绝授权",
    about: "用户不同意提供手机号。",
    steps: ["新用户登录并点击手机号按钮。", "用户点击“不允许”。"],
    checks: ["客户端包报告：declined。", "没有向 wxpass 发送任何请求。"],
  },
  steps: [
    async ({ left }) => {
      await useNewPerson(left);
      await left.program.logIn();
      left.program.askForPhone();
    },
    async ({ left, traffic }) => {
      await left.program.answerPhone(false);
      const sent = await traffic.of("phone");
      return [left.program.failure === "declined", !sent.length && left.program.state.screen === "unbound"];
    },
  ],
};

const account: Scene = {
  id: "account",
  en: {
    title: "Account binding",
    about: "The person proves who they are with an account and a password.",
    steps: ["A new person logs in and is unbound.", "The person enters account and password of a user of the company."],
    checks: ["The password is the evidence: wxpass bound the WeChat identity to the user.", "The phone shows the user of the account."],
  },
  zh: {
    title: "账号绑定",
    about: "用户用账号和密码证明身份。",
    steps: ["新用户登录，会话未绑定。", "用户输入商家已有用户的账号和密码。"],
    checks: ["以密码为依据，wxpass 把微信身份绑定到该用户。", "手机显示该账号的用户。"],
  },
  steps: [
    async ({ left }) => {
      await useNewPerson(left);
      await left.program.logIn();
      left.program.change({ screen: "account" });
    },
    async ({ left, traffic, tenants }) => {
      const user = tenants[0].users[1];
      await left.program.bindAccount(user.account, user.password);
      const [bound] = await traffic.of("bind");
      const isBound = bound.facts.decision === "bind" && bound.facts.evidence === "password";
      return [isBound, left.program.state.user?.account === user.account];
    },
  ],
};

const profile: Scene = {
  id: "profile",
  en: {
    title: "Profile",
    about: "WeChat gives no names any more, so the person types a nickname.",
    steps: ["A member is logged in.", "The member types a nickname and saves it.", "The member opens the mini-program again."],
    checks: ["wxpass stored the nickname.", "The mini-program shows it after the reload."],
  },
  zh: {
    title: "个人资料",
    about: "微信不再提供真实昵称，由用户自己填写。",
    steps: ["会员已登录。", "会员填写昵称并保存。", "会员重新打开小程序。"],
    checks: ["wxpass 保存了昵称。", "重新打开后，小程序显示该昵称。"],
  },
  steps: [
    async ({ left }) => void (await useNewMember(left)),
    async ({ left }) => left.program.saveNickname("小茶 Tea", "✓"),
    async ({ left, traffic }) => {
      const { person, appid } = left.program.wx;
      await left.use(person, appid);
      const [saved] = await traffic.of("profile");
      return [saved.answer.nickname === "小茶 Tea", left.program.state.user?.nickname === "小茶 Tea"];
    },
  ],
};

const otherApps: Scene = {
  id: "other-apps",
  en: {
    title: "Second mini-program",
    about: "The unionid links the mini-programs of one company, and never those of another.",
    steps: ["A member of Acme Shop is logged in on phone 1.", "The same person opens Acme Club on phone 2.", "The same person opens Globex Life on phone 2."],
    checks: ["Acme Club knows the member at the first login.", "Globex Life does not know the person."],
  },
  zh: {
    title: "第二个小程序",
    about: "unionid 打通同一商家的小程序，但绝不跨商家。",
    steps: ["Acme Shop 的会员在手机 1 上登录。", "同一个人在手机 2 上打开 Acme Club。", "同一个人在手机 2 上打开 Globex Life。"],
    checks: ["Acme Club 在首次登录时就认出会员。", "Globex Life 不认识此人。"],
  },
  steps: [
    async ({ left }) => void (await useNewMember(left)),
    async ({ left, right }) => {
      await right.use(left.program.wx.person, CLUB);
      await right.program.logIn();
    },
    async ({ left, right, traffic }) => {
      const clubUser = right.program.state.user?.id;
      await right.use(left.program.wx.person, LIFE);
      await right.program.logIn();
      const decisions = (await traffic.of("login")).map((login) => login.facts.decision);
      const isKnown = clubUser === left.program.state.user?.id && decisions[1] === "bind";
      return [isKnown, right.program.state.screen === "unbound" && decisions[2] === "wait"];
    },
  ],
};

export const LOGINS = [firstLogin, phoneByCode, phoneByData, refusal, account, profile, otherApps];
