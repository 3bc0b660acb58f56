/** Scenes about WeChat: withdrawn consent, and faults. */

import { post } from "../backend";
import { useNewMember, useNewPerson } from "./people";
import { Scene, SHOP, until } from "./scene";

const consent: Scene = {
  id: "consent",
  en: {
    title: "Consent revoked",
    about: "A member withdraws the phone number in WeChat, and WeChat tells wxpass.",
    steps: ["A member with a phone number is logged in.", "The member revokes the consent in WeChat. WeChat pushes the event.", "The member opens the mini-program again. An operator reads the audit log."],
    checks: ["wxpass accepted the push.", "wxpass deleted the number.", "The audit log has the event consent.withdrawn."],
  },
  zh: {
    title: "撤回授权",
    about: "会员在微信中撤回手机号授权，微信通知 wxpass。",
    steps: ["有手机号的会员已登录。", "会员在微信中撤回授权，微信推送事件。", "会员重新打开小程序，管理员查看审计日志。"],
    checks: ["wxpass 接受了推送。", "wxpass 删除了手机号。", "审计日志中有 consent.withdrawn 事件。"],
  },
  steps: [
    async ({ left }) => void (await useNewMember(left)),
    async ({ left }) => post("revoke", { person: left.program.wx.person, appid: SHOP, what: "phone" }),
    async ({ left, traffic }) => {
      const hadPhone = !!left.program.state.user?.phone;
      const isDeleted = await until(async () => !(await left.program.client.me()).phone);
      await left.program.logIn();
      const { events } = await post("audit", { appid: SHOP });
      const [push] = await traffic.of("push");
      const isAudited = events.some((event: { action: string }) => event.action === "consent.withdrawn");
      return [push.status === 200, hadPhone && isDeleted, isAudited];
    },
  ],
};

const slow: Scene = {
  id: "slow",
  en: {
    title: "WeChat is slow",
    about: "WeChat takes three seconds. wxpass waits and holds no database connection.",
    steps: ["WeChat will take 3 seconds for the next login.", "A new person logs in."],
    checks: ["The login took at least 3 seconds.", "It succeeded."],
  },
  zh: {
    title: "微信响应慢",
    about: "微信需要三秒。wxpass 等待期间不占用数据库连接。",
    steps: ["微信处理下一次登录需要 3 秒。", "新用户登录。"],
    checks: ["登录用时不少于 3 秒。", "登录成功。"],
  },
  steps: [
    async ({ left }) => {
      await useNewPerson(left);
      await post("faults", { appid: SHOP, kind: "slow", seconds: 3 });
    },
    async ({ left, traffic }) => {
      await left.program.logIn();
      const [login] = await traffic.of("login");
      return [(login.ended || 0) - login.at >= 3, login.status === 200 && left.program.state.screen === "unbound"];
    },
  ],
};

const busy: Scene = {
  id: "busy",
  en: {
    title: "WeChat is busy",
    about: "WeChat answers -1, system busy. The client package waits and tries again with a new code.",
    steps: ["WeChat will be busy for the next login.", "A new person logs in. The client package waits as long as Retry-After says, 5 seconds."],
    checks: ["The first attempt was answered with wechat_unavailable.", "The client package sent a new code, and the login succeeded."],
  },
  zh: {
    title: "微信繁忙",
    about: "微信返回 -1（系统繁忙），客户端包等待后用新的 code 重试。",
    steps: ["下一次登录时微信将繁忙。", "新用户登录。客户端包按 Retry-After 等待 5 秒。"],
    checks: ["第一次尝试得到 wechat_unavailable。", "客户端包发送了新的 code，登录成功。"],
  },
  steps: [
    async ({ left }) => {
      await useNewPerson(left);
      await post("faults", { appid: SHOP, kind: "busy" });
    },
    async ({ left, traffic }) => {
      await left.program.logIn();
      const [first, second] = await traffic.of("login");
      const isRefused = first.status === 503 && first.answer.code === "wechat_unavailable";
      const isNew = second?.request.body.code !== first.request.body.code;
      return [isRefused, isNew && second?.status === 200 && left.program.state.screen === "unbound"];
    },
  ],
};

const wrongSecret: Scene = {
  id: "wrong-secret",
  en: {
    title: "Wrong AppSecret",
    about: "The AppSecret was reset in WeChat's console, and wxpass still has the old one.",
    steps: ["WeChat gets another AppSecret for Acme Shop.", "A new person tries to log in.", "The old AppSecret is restored. The person tries again."],
    checks: ["wxpass answered wechat_app_misconfigured, and the phone shows a message.", "With the right AppSecret, the login succeeded."],
  },
  zh: {
    title: "AppSecret 错误",
    about: "微信后台重置了 AppSecret，而 wxpass 仍保存旧的。",
    steps: ["微信更换了 Acme Shop 的 AppSecret。", "新用户尝试登录。", "恢复原来的 AppSecret，用户再试一次。"],
    checks: ["wxpass 返回 wechat_app_misconfigured，手机显示提示。", "AppSecret 正确后登录成功。"],
  },
  steps: [
    async ({ left }) => {
      await useNewPerson(left);
      await post("secret", { appid: SHOP, right: false });
    },
    async ({ left }) => {
      await left.program.logIn();
      await post("secret", { appid: SHOP, right: true });
    },
    async ({ left, traffic }) => {
      const { failure, state } = left.program;
      await left.program.logIn();
      const statuses = (await traffic.of("login")).map((one) => one.status);
      const isRefused = failure === "wechat_app_misconfigured" && !!state.message;
      return [isRefused && statuses[0] === 502, left.program.state.screen === "unbound"];
    },
  ],
};

export const WECHAT = [consent, slow, busy, wrongSecret];
