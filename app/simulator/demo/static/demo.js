// Built from clients/demo by npm run build. Sources: 94dabbed1ab527faf6e8740bcec80b8fe41d9830d559a469823e9daff4060dde
(function () {
  'use strict';

  /** The simulator's API of the demo. */
  /** Post JSON, and return the JSON answer. Throw an Error with the simulator's text otherwise. */
  async function post(path, body = {}) {
      const headers = { "Content-Type": "application/json" };
      const response = await fetch(`api/${path}`, { method: "POST", headers, body: JSON.stringify(body) });
      const answer = await response.json();
      if (!response.ok)
          throw new Error(answer.error);
      return answer;
  }
  /** Get JSON. */
  async function get(path) {
      return (await fetch(`api/${path}`)).json();
  }
  /** Return the demo tenants and the address of the service. */
  function tenants() {
      return get("tenants");
  }
  /** Return the people with WeChat on a phone. */
  async function people() {
      return (await get("people")).people;
  }
  /** Add a person who is unknown to the tenants, and return the name. */
  async function newPerson() {
      return (await post("people")).name;
  }

  /** Building elements without a framework. */
  /** Return an element. An attribute named `onclick` and the like is a listener. */
  function h(tag, attributes = {}, ...children) {
      const element = document.createElement(tag);
      for (const [name, value] of Object.entries(attributes)) {
          if (typeof value === "function")
              element.addEventListener(name.slice(2), value);
          else if (value === true)
              element.setAttribute(name, "");
          else if (value !== false)
              element.setAttribute(name, value);
      }
      element.append(...children.filter((child) => !!child));
      return element;
  }
  /** Replace the children of an element. */
  function fill(element, ...children) {
      element.replaceChildren(...children.filter((child) => !!child));
  }
  /** Return a button. */
  function button(text, onclick, className = "", disabled = false) {
      return h("button", { type: "button", class: className, onclick, disabled }, text);
  }

  /** English texts. */
  const en = {
      title: "wxpass demo phone",
      about: "Two phones run a small mini-program against the wxpass service on this machine. The list shows every request.",
      console: "Console",
      docs: "Documentation",
      other: "中文",
      scenes: "Scenes",
      traffic: "Requests",
      clear: "Clear",
      lanes: { phone: "Phone", service: "wxpass", wechat: "WeChat", console: "Console" },
      empty: "Tap Log in on a phone, or play a scene. The requests appear here.",
      unanswered: "no answer",
      waiting: "waiting",
      request: "Request",
      answer: "Answer",
      log: "From the service's log",
      sides: { left: "Phone 1", right: "Phone 2" },
      person: "Person",
      app: "Mini-program",
      button: "Phone button",
      buttons: { code: "New: gives a code", data: "Old: gives encryptedData" },
      newPerson: "New person",
      play: "Play",
      next: "Next step",
      again: "Play again",
      passed: "Result: as expected",
      failed: "Result: not as expected",
      program: {
          welcome: "Welcome",
          hint: "Tap Log in. Nothing has been sent yet.",
          logIn: "Log in",
          almost: "One more step",
          almostHint: "WeChat has named you. The company does not know yet which customer you are.",
          byPhone: "Log in by phone number",
          byAccount: "Use account and password",
          account: "Account",
          password: "Password",
          submit: "Bind",
          back: "Back",
          member: "Member",
          noName: "No nickname yet",
          noPhone: "No phone number",
          profile: "Nickname",
          save: "Save",
          saved: "Saved",
          devices: "Devices",
          thisDevice: "This phone",
          end: "End",
          reopen: "Open again",
          logOut: "Log out",
          kicked: "You were logged out",
          loading: "Please wait",
          sheetTitle: "requests your phone number",
          sheetText: "Used to log you in",
          sheetNumber: "Number of your WeChat account",
          allow: "Allow",
          deny: "Don't allow",
      },
      kinds: {
          "wx.login": "wx.login",
          "wx.checkSession": "wx.checkSession",
          getPhoneNumber: "Phone button",
          getUserProfile: "User-info button",
          login: "Log in",
          "password-login": "Log in by password",
          phone: "Bind by phone",
          bind: "Bind by account",
          unbind: "Unbind",
          profile: "Save profile",
          refresh: "Refresh tokens",
          logout: "Log out",
          "logout-all": "Log out everywhere",
          jwt: "Issue a JWT",
          me: "Who am I?",
          sessions: "Sessions",
          "end-device": "End a session",
          "close-account": "Close the account",
          jscode2session: "Exchange the code",
          stable_token: "Get access token",
          getuserphonenumber: "Exchange the phone code",
          push: "Message push",
          "sign-in": "Operator signs in",
          "end-session": "Operator ends a session",
          "add-customer": "Operator adds a customer",
          audit: "Operator reads the audit log",
      },
      answers: {
          bound: "bound",
          unbound: "unbound",
          ok: "done",
          user: "user",
          code: "code",
          data: "encrypted data",
          declined: "declined",
          identity: "openid, session_key",
          token: "access token",
          number: "phone number",
          tokens: "new tokens",
          one: "session",
          many: "sessions",
      },
      decision: "Decision",
      refused: "Refused",
      evidence: { login: "evidence: the login", phone: "evidence: a verified phone number", password: "evidence: the password", code: "evidence: the same code from the same phone" },
      policies: { on_login: "policy: register at the first login", on_phone: "policy: register at the first phone number", closed: "policy: register nobody" },
      decisions: {
          wait: "stay unbound until a phone number or a password identifies the user",
          register: "register a new user",
          bind: "bind to a known user",
          add: "add the phone number to the user",
          keep: "keep the user that the identity belongs to",
          merge: "merge two users of one person",
          repeat: "return the login that this code opened before",
      },
  };

  /** Chinese texts. */
  const zh = {
      title: "wxpass 演示手机",
      about: "两部手机运行同一个小程序，连接本机的 wxpass 服务。列表按顺序显示每一个请求。",
      console: "控制台",
      docs: "文档",
      other: "English",
      scenes: "场景",
      traffic: "请求",
      clear: "清空",
      lanes: { phone: "手机", service: "wxpass", wechat: "微信", console: "控制台" },
      empty: "点击手机上的“登录”，或播放一个场景，请求会显示在这里。",
      unanswered: "无应答",
      waiting: "等待中",
      request: "请求",
      answer: "应答",
      log: "来自服务日志",
      sides: { left: "手机 1", right: "手机 2" },
      person: "用户",
      app: "小程序",
      button: "手机号按钮",
      buttons: { code: "新版：返回 code", data: "旧版：返回 encryptedData" },
      newPerson: "新用户",
      play: "播放",
      next: "下一步",
      again: "重新播放",
      passed: "结果：符合预期",
      failed: "结果：不符合预期",
      program: {
          welcome: "欢迎光临",
          hint: "请点击“登录”。目前还没有发送任何请求。",
          logIn: "登录",
          almost: "还差一步",
          almostHint: "微信已确认您的身份，但商家还不知道您是哪位客户。",
          byPhone: "手机号快捷登录",
          byAccount: "使用账号密码",
          account: "账号",
          password: "密码",
          submit: "绑定",
          back: "返回",
          member: "会员",
          noName: "未设置昵称",
          noPhone: "未绑定手机号",
          profile: "昵称",
          save: "保存",
          saved: "已保存",
          devices: "登录设备",
          thisDevice: "本机",
          end: "下线",
          reopen: "重新打开",
          logOut: "退出登录",
          kicked: "您已退出登录",
          loading: "请稍候",
          sheetTitle: "申请获取你的手机号",
          sheetText: "用于登录",
          sheetNumber: "微信绑定号码",
          allow: "允许",
          deny: "不允许",
      },
      kinds: {
          "wx.login": "wx.login",
          "wx.checkSession": "wx.checkSession",
          getPhoneNumber: "手机号按钮",
          getUserProfile: "用户信息按钮",
          login: "登录",
          "password-login": "密码登录",
          phone: "手机号绑定",
          bind: "账号绑定",
          unbind: "解绑",
          profile: "保存资料",
          refresh: "刷新凭证",
          logout: "退出登录",
          "logout-all": "退出所有设备",
          jwt: "签发 JWT",
          me: "查询当前用户",
          sessions: "查询会话",
          "end-device": "结束会话",
          "close-account": "注销账号",
          jscode2session: "用 code 换取身份",
          stable_token: "获取 access_token",
          getuserphonenumber: "用 code 换取手机号",
          push: "消息推送",
          "sign-in": "管理员登录",
          "end-session": "管理员结束会话",
          "add-customer": "管理员添加客户",
          audit: "管理员查看审计日志",
      },
      answers: {
          bound: "已绑定",
          unbound: "未绑定",
          ok: "完成",
          user: "用户",
          code: "code",
          data: "加密数据",
          declined: "用户拒绝",
          identity: "openid、session_key",
          token: "access_token",
          number: "手机号",
          tokens: "新凭证",
          one: "个会话",
          many: "个会话",
      },
      decision: "决定",
      refused: "拒绝",
      evidence: {
          login: "依据：本次登录",
          phone: "依据：已验证的手机号",
          password: "依据：密码",
          code: "依据：同一手机重复发送同一 code",
      },
      policies: {
          on_login: "策略：首次登录即注册",
          on_phone: "策略：首次验证手机号时注册",
          closed: "策略：不自动注册",
      },
      decisions: {
          wait: "保持未绑定，等待手机号或密码确认用户",
          register: "注册新用户",
          bind: "绑定到已有用户",
          add: "为用户添加手机号",
          keep: "沿用该微信身份所属的用户",
          merge: "合并同一人的两个用户",
          repeat: "返回此 code 先前换得的登录",
      },
  };

  /** The language of the page. The server chooses it by Accept-Language, and a switch changes it. */
  const KEY = "demo language";
  /** Return the chosen language, or that of the page. */
  function language() {
      const chosen = localStorage.getItem(KEY) || document.documentElement.lang;
      return chosen.startsWith("zh") ? "zh" : "en";
  }
  /** Return the texts in the language of the page. */
  function texts() {
      return language() === "zh" ? zh : en;
  }
  /** Choose the other language, and load the page again. */
  function switchLanguage() {
      localStorage.setItem(KEY, language() === "zh" ? "en" : "zh");
      location.reload();
  }
  /** Return the language in which the service answers. */
  function serviceLanguage() {
      return language() === "zh" ? "zh-CN" : "en";
  }

  /** Links to the documentation site of the service: the section that explains a request. */
  const SECTIONS = {
      "wx.login": "integrate#log-in",
      "wx.checkSession": "concepts#social-account",
      getPhoneNumber: "integrate#by-phone",
      getUserProfile: "integrate#profile",
      login: "concepts#the-login-pipeline",
      "password-login": "integrate#by-account-and-password",
      phone: "integrate#by-phone",
      bind: "integrate#by-account-and-password",
      unbind: "concepts#after-the-login",
      profile: "integrate#profile",
      refresh: "integrate#refresh",
      logout: "integrate#log-out-and-leave",
      "logout-all": "integrate#log-out-and-leave",
      jwt: "protect-your-api#jwt",
      me: "integrate#all-calls",
      sessions: "concepts#session",
      "end-device": "integrate#all-calls",
      "close-account": "integrate#log-out-and-leave",
      jscode2session: "concepts#the-login-pipeline",
      stable_token: "concepts#the-login-pipeline",
      getuserphonenumber: "integrate#by-phone",
      push: "operations#erasure",
      "sign-in": "console#operator-security",
      "end-session": "console#sessions",
      "add-customer": "console#users",
      audit: "console#audit-log",
  };
  const LINKING = "concepts#linking";
  let guide = "";
  /** Return the link for a kind of request. */
  function linkOf(kind) {
      return addressOf(SECTIONS[kind] || "concepts#the-login-pipeline");
  }
  /** Return the link for a linking decision. */
  function linkOfDecision() {
      return addressOf(LINKING);
  }
  /** Return the link for an error code. */
  function linkOfError(code) {
      return addressOf(`errors#${code}`);
  }
  /** Return the address of a page or section, in the language of the demo. */
  function addressOf(section) {
      const [page, anchor] = section.split("#");
      const folder = language() === "zh" ? "zh-CN/" : "";
      return `${guide}${folder}${page}/${anchor ? `#${anchor}` : ""}`;
  }
  /** Let the links lead to the site of this service. */
  function linkToService(service) {
      guide = `${service}/docs/guide/`;
  }

  /******************************************************************************
  Copyright (c) Microsoft Corporation.

  Permission to use, copy, modify, and/or distribute this software for any
  purpose with or without fee is hereby granted.

  THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH
  REGARD TO THIS SOFTWARE INCLUDING ALL IMPLIED WARRANTIES OF MERCHANTABILITY
  AND FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR ANY SPECIAL, DIRECT,
  INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES WHATSOEVER RESULTING FROM
  LOSS OF USE, DATA OR PROFITS, WHETHER IN AN ACTION OF CONTRACT, NEGLIGENCE OR
  OTHER TORTIOUS ACTION, ARISING OUT OF OR IN CONNECTION WITH THE USE OR
  PERFORMANCE OF THIS SOFTWARE.
  ***************************************************************************** */
  /* global Reflect, Promise, SuppressedError, Symbol, Iterator */


  function __awaiter(thisArg, _arguments, P, generator) {
      function adopt(value) { return value instanceof P ? value : new P(function (resolve) { resolve(value); }); }
      return new (P || (P = Promise))(function (resolve, reject) {
          function fulfilled(value) { try { step(generator.next(value)); } catch (e) { reject(e); } }
          function rejected(value) { try { step(generator["throw"](value)); } catch (e) { reject(e); } }
          function step(result) { result.done ? resolve(result.value) : adopt(result.value).then(fulfilled, rejected); }
          step((generator = generator.apply(thisArg, _arguments || [])).next());
      });
  }

  function __generator(thisArg, body) {
      var _ = { label: 0, sent: function() { if (t[0] & 1) throw t[1]; return t[1]; }, trys: [], ops: [] }, f, y, t, g = Object.create((typeof Iterator === "function" ? Iterator : Object).prototype);
      return g.next = verb(0), g["throw"] = verb(1), g["return"] = verb(2), typeof Symbol === "function" && (g[Symbol.iterator] = function() { return this; }), g;
      function verb(n) { return function (v) { return step([n, v]); }; }
      function step(op) {
          if (f) throw new TypeError("Generator is already executing.");
          while (g && (g = 0, op[0] && (_ = 0)), _) try {
              if (f = 1, y && (t = op[0] & 2 ? y["return"] : op[0] ? y["throw"] || ((t = y["return"]) && t.call(y), 0) : y.next) && !(t = t.call(y, op[1])).done) return t;
              if (y = 0, t) op = [op[0] & 2, t.value];
              switch (op[0]) {
                  case 0: case 1: t = op; break;
                  case 4: _.label++; return { value: op[1], done: false };
                  case 5: _.label++; y = op[1]; op = [0]; continue;
                  case 7: op = _.ops.pop(); _.trys.pop(); continue;
                  default:
                      if (!(t = _.trys, t = t.length > 0 && t[t.length - 1]) && (op[0] === 6 || op[0] === 2)) { _ = 0; continue; }
                      if (op[0] === 3 && (!t || (op[1] > t[0] && op[1] < t[3]))) { _.label = op[1]; break; }
                      if (op[0] === 6 && _.label < t[1]) { _.label = t[1]; t = op; break; }
                      if (t && _.label < t[2]) { _.label = t[2]; _.ops.push(op); break; }
                      if (t[2]) _.ops.pop();
                      _.trys.pop(); continue;
              }
              op = body.call(thisArg, _);
          } catch (e) { op = [6, e]; y = 0; } finally { f = t = 0; }
          if (op[0] & 5) throw op[1]; return { value: op[0] ? op[1] : void 0, done: true };
      }
  }

  typeof SuppressedError === "function" ? SuppressedError : function (error, suppressed, message) {
      var e = new Error(message);
      return e.name = "SuppressedError", e.error = error, e.suppressed = suppressed, e;
  };

  /** Errors of the client: one shape for failures of the service, the network and the phone. */
  var REASONS = {
      token_missing: "expired",
      token_invalid: "expired",
      session_expired: "expired",
      refresh_token_invalid: "expired",
      refresh_token_expired: "expired",
      token_of_another_app: "expired",
      http_401: "expired",
      session_replaced: "replaced",
      refresh_token_reused: "replaced",
      session_revoked: "revoked",
      session_ended: "ended",
      logged_out: "ended",
      user_disabled: "disabled",
      app_disabled: "disabled",
      tenant_disabled: "disabled",
      switched_off: "disabled",
      login_unbound: "unbound",
      no_user: "unbound",
  };
  /** Return whether a value is an error of this client. */
  function isWxpassError(value) {
      return !!value && value.name === "WxpassError";
  }
  /** Return a new error. The reason is that of the code, unless one is given. */
  function newError(code, message, reason, status) {
      if (status === void 0) { status = 0; }
      var error = new Error(message || code);
      error.name = "WxpassError";
      error.code = code;
      error.reason = reason || REASONS[code] || reasonOfStatus(status);
      error.status = status;
      error.retryAfter = error.requestId = error.errors = null;
      return error;
  }
  /** Return the error for `errMsg` of a failed call to the platform. */
  function platformError(failure) {
      var message = String((failure && failure.errMsg) || failure);
      var kind = /timeout|timed out/i.test(message) ? "timeout" : /abort/i.test(message) ? "aborted" : "network";
      return newError(kind, message, kind);
  }
  function reasonOfStatus(status) {
      if (status === 429 || status === 503)
          return "busy";
      return status >= 400 && status < 500 ? "refused" : "server";
  }

  /** Cancellation and waiting. Mini-programs have no AbortController. */
  var nothing = function () { return undefined; };
  /** Return the control of a call that is never aborted. */
  function newControl() {
      return { aborted: false, stop: nothing };
  }
  function aborted() {
      return newError("aborted", "The request was aborted.", "aborted");
  }
  /** Run a function, and return its promise with `abort`. */
  function cancellable(run) {
      var control = newControl();
      var rejectCall = nothing;
      var call = new Promise(function (resolve, reject) {
          rejectCall = reject;
          run(control).then(resolve, reject);
      });
      call.abort = function () {
          var stop = control.stop;
          control.aborted = true;
          control.stop = nothing;
          stop();
          rejectCall(aborted());
      };
      return call;
  }
  /**
   * Run one step of a call. `start` begins it and returns how to stop it. The step rejects if the
   * call was aborted before.
   */
  function step(control, start) {
      return new Promise(function (resolve, reject) {
          if (control.aborted)
              return reject(aborted());
          var stop = start(function (value) {
              control.stop = nothing;
              resolve(value);
          }, function (error) {
              control.stop = nothing;
              reject(error);
          });
          control.stop = stop;
      });
  }
  /** Resolve after a number of seconds. */
  function wait(seconds, control) {
      return step(control, function (resolve) {
          var timer = setTimeout(resolve, seconds * 1000);
          return function () { return clearTimeout(timer); };
      });
  }

  /** Reading responses: JSON, problems of the service, and headers. */
  /** Return the reply. Throw a WxpassError for a status above 299 and for a body that is not JSON. */
  function replyOf(response) {
      var status = response.statusCode;
      var body = jsonOf(response.data);
      var header = function (name) { return headerOf(response, name); };
      if (!(status >= 200 && status < 300))
          throw problemOf(status, body, header);
      if (body instanceof NotJson) {
          throw newError("response_not_json", "The response is not JSON.", "server", status);
      }
      return { data: body, header: header };
  }
  /** A body that is not JSON, such as an HTML page of a proxy. */
  var NotJson = /** @class */ (function () {
      function NotJson() {
      }
      return NotJson;
  }());
  function jsonOf(data) {
      if (typeof data !== "string")
          return data === null ? undefined : data;
      if (!data)
          return undefined;
      try {
          return JSON.parse(data);
      }
      catch (_) {
          return new NotJson();
      }
  }
  function problemOf(status, body, header) {
      var problem = body || {};
      var code = typeof problem.code === "string" ? problem.code : "http_" + status;
      var message = typeof problem.detail === "string" ? problem.detail : "HTTP " + status;
      var error = newError(code, message, undefined, status);
      error.retryAfter = retryAfterOf(header);
      error.requestId = header("X-Request-Id") || null;
      error.errors = problem.errors || null;
      return error;
  }
  /** Return a header, or "". Platforms differ in the case of the names. */
  function headerOf(response, name) {
      var headers = response.header || {};
      for (var key in headers) {
          if (key.toLowerCase() === name.toLowerCase())
              return String(headers[key]);
      }
      return "";
  }
  /**
   * Return the seconds of `Retry-After`, or null. A date is compared with the `Date` of the same
   * response, because the clock of the phone may be wrong.
   */
  function retryAfterOf(header) {
      var text = header("Retry-After").trim();
      if (/^\d+$/.test(text))
          return Number(text);
      var seconds = Math.ceil((Date.parse(text) - Date.parse(header("Date"))) / 1000);
      return isNaN(seconds) ? null : Math.max(0, seconds);
  }

  /** Sending requests: one attempt, and repetition where the server asks for it. */
  var MOST_REPETITIONS = 2;
  /** Send a request once. Reject with a WxpassError for anything but a JSON reply. */
  function send(transport, request, control) {
      return step(control, function (resolve, reject) {
          var exchange = transport.send(request);
          var timer = setTimeout(function () {
              exchange.abort();
              reject(newError("timeout", "The request timed out.", "timeout"));
          }, request.timeout);
          var settled = function () { return clearTimeout(timer); };
          exchange.response.then(settled, settled);
          exchange.response.then(resolve, reject);
          return function () {
              settled();
              exchange.abort();
          };
      }).then(replyOf);
  }
  /**
   * Run an attempt. After a 429 or 503 with `Retry-After`, wait and run it again, twice at most. The
   * error is passed on if the server asks for more than `longestWait` seconds.
   */
  function repeating(attempt, longestWait, control) {
      return __awaiter(this, void 0, Promise, function () {
          var repetitions, error_1, seconds;
          return __generator(this, function (_a) {
              switch (_a.label) {
                  case 0:
                      repetitions = 0;
                      _a.label = 1;
                  case 1:
                      _a.trys.push([1, 3, , 5]);
                      return [4 /*yield*/, attempt()];
                  case 2: return [2 /*return*/, _a.sent()];
                  case 3:
                      error_1 = _a.sent();
                      seconds = secondsToWait(error_1);
                      if (seconds === null || seconds > longestWait || repetitions === MOST_REPETITIONS)
                          throw error_1;
                      // Phones that were refused together do not come back together.
                      return [4 /*yield*/, wait(seconds * (1 + Math.random() / 5), control)];
                  case 4:
                      // Phones that were refused together do not come back together.
                      _a.sent();
                      return [3 /*break*/, 5];
                  case 5:
                      repetitions++;
                      return [3 /*break*/, 1];
                  case 6: return [2 /*return*/];
              }
          });
      });
  }
  /** Return the seconds of `Retry-After` of an error that may be repeated, or null. */
  function secondsToWait(error) {
      var isBusy = error.status === 429 || error.status === 503;
      // A refused password must not be sent again without the person.
      return isBusy && error.code !== "too_many_tries" ? error.retryAfter : null;
  }

  /** Calls to the service and to back ends that accept its tokens. */
  var ORIGIN = /^https?:\/\/[^/?#]+/i;
  /** Return the API of a mini-program. Throws an Error if the base URL is no http address. */
  function newApi(options, transport, appid) {
      var baseUrl = baseUrlOf(options);
      var _a = options.timeout, timeout = _a === void 0 ? 10000 : _a, _b = options.longestWait, longestWait = _b === void 0 ? 10 : _b, language = options.language, _c = options.tokenOrigins, tokenOrigins = _c === void 0 ? [] : _c;
      var origins = tokenOrigins.concat(originOf(baseUrl)).map(function (origin) { return origin.toLowerCase(); });
      function once(request, token, control) {
          var url = addressOf(request.url);
          if (!url)
              return Promise.reject(newError("origin_not_allowed", request.url, "refused"));
          var header = {};
          for (var name in request.header)
              header[name] = request.header[name];
          header["content-type"] = "application/json";
          if (language)
              header["Accept-Language"] = language;
          if (token)
              header.Authorization = "Bearer " + token;
          var method = request.method || "GET";
          var sent = { url: url, method: method, data: request.data, header: header, timeout: request.timeout || timeout };
          if (method === "GET") {
              sent.url = withQuery(url, request.data);
              sent.data = undefined;
          }
          return send(transport, sent, control);
      }
      /** Return the URL, or "" if the login token must not be sent there. */
      function addressOf(url) {
          // A path begins with "/": behind the host, "@example.com" would name another host.
          if (url.charAt(0) === "/")
              return baseUrl + url;
          return origins.indexOf(originOf(url).toLowerCase()) >= 0 ? url : "";
      }
      return {
          call: function (request, token, control) {
              if (control === void 0) { control = newControl(); }
              return repeating(function () { return once(request, token, control); }, longestWait, control);
          },
          post: function (action, data, token) {
              var url = "/v1/apps/" + encodeURIComponent(appid) + "/" + action;
              return once({ url: url, method: "POST", data: data }, token || null, newControl());
          },
          repeating: function (attempt) { return repeating(attempt, longestWait, newControl()); },
      };
  }
  /** Return the base URL without a slash at the end. Throws an Error unless it is an http address. */
  function baseUrlOf(options) {
      var baseUrl = (options.baseUrl || "").replace(/\/+$/, "");
      if (!ORIGIN.test(baseUrl))
          throw new Error("baseUrl must begin with https://");
      return baseUrl;
  }
  /** Return a URL with the defined values as its query. Platforms differ in how they add one. */
  function withQuery(url, data) {
      for (var name in data) {
          if (data[name] === undefined)
              continue;
          var pair = encodeURIComponent(name) + "=" + encodeURIComponent(data[name]);
          url += (url.indexOf("?") < 0 ? "?" : "&") + pair;
      }
      return url;
  }
  function originOf(url) {
      var found = ORIGIN.exec(url);
      return found ? found[0] : "no origin";
  }

  /**
   * A queue of the operations that change the tokens. They run one after another.
   *
   * A logout does not wait in the queue: it cancels all operations in it.
   */
  /** Return a new queue. Cancelled operations reject with what `whyCancelled` returns. */
  function newTurns(whyCancelled) {
      var current = {};
      var queue = Promise.resolve();
      var running = {};
      function inTurn(operation) {
          var generation = current;
          var turn = queue.then(function () {
              if (generation !== current)
                  throw whyCancelled();
              return operation(generation);
          });
          queue = turn.then(null, function () { return undefined; });
          return turn;
      }
      return {
          inTurn: inTurn,
          shared: function (name, operation) {
              if (!running[name]) {
                  var started_1 = inTurn(operation);
                  var remove = function () {
                      if (running[name] === started_1)
                          delete running[name];
                  };
                  running[name] = started_1;
                  started_1.then(remove, remove);
              }
              return running[name];
          },
          isCurrent: function (generation) { return generation === current; },
          cancel: function () {
              current = {};
              queue = Promise.resolve();
              running = {};
          },
      };
  }

  /**
   * Opens, renews and drops the session.
   *
   * Everything that changes the tokens runs in turn, so that no response overwrites a newer one, and
   * tokens that arrive after a logout are not stored (turns.ts). The clock of the phone is never
   * compared with a time of the service: a token is valid until the service refuses it.
   */
  /** The reasons with which the service refuses a session that has ended. */
  var OVER = ["expired", "replaced", "revoked", "ended", "disabled"];
  /** Those after which the client does not log in by itself, because a person ended the session. */
  var FINAL = ["revoked", "ended", "disabled"];
  var CODE_REFUSED = ["code_invalid", "code_used"];
  /** Return the authenticator of a client. `store` has its session, `events` its listeners. */
  function newAuthenticator(api, transport, store, events) {
      var _this = this;
      var _a = newTurns(reasonOfAbsence), inTurn = _a.inTurn, isCurrent = _a.isCurrent, cancel = _a.cancel, shared = _a.shared;
      var loss = null;
      // Counts requests and failed renewals, to compare which came first.
      var moment = 0;
      var failure = { token: "", moment: 0, error: null };
      // The stored session.
      function adopt(reply, generation, userId, byPassword) {
          var _a = reply.data || {}, token = _a.token, refresh_token = _a.refresh_token;
          if (typeof token !== "string") {
              throw newError("response_invalid", "The response has no token.", "server");
          }
          if (!isCurrent(generation)) {
              retire(token);
              throw reasonOfAbsence();
          }
          var session = { token: token, refreshToken: refresh_token || null, userId: userId, byPassword: byPassword };
          store.write(session);
          return session;
      }
      function adoptLogin(reply, generation, byPassword) {
          var user = (reply.data && reply.data.user) || null;
          adopt(reply, generation, user && user.id, byPassword);
          var login = { bound: !!user, user: user };
          events.emit("login", login);
          return login;
      }
      /** Delete the session, and cancel the operations that are under way. */
      function drop(why) {
          cancel();
          loss = why;
          store.clear();
      }
      function lost(error) {
          drop(error);
          events.emit("kicked", error);
          return error;
      }
      function reasonOfAbsence() {
          return loss || newError("logged_out", "The person has logged out.");
      }
      /** End a session in the service that is no longer used. Errors are ignored. */
      function retire(token) {
          api.post("logout", undefined, token).then(null, function () { return undefined; });
      }
      // Opening and renewing.
      function loginWithCode() {
          return __awaiter(this, void 0, Promise, function () {
              var _a, _b, _c;
              var _d;
              return __generator(this, function (_e) {
                  switch (_e.label) {
                      case 0:
                          _b = (_a = api).post;
                          _c = ["login"];
                          _d = {};
                          return [4 /*yield*/, transport.login()];
                      case 1: return [2 /*return*/, _b.apply(_a, _c.concat([(_d.code = _e.sent(), _d)]))];
                  }
              });
          });
      }
      function open(generation) {
          return __awaiter(this, void 0, Promise, function () {
              var reply;
              return __generator(this, function (_a) {
                  switch (_a.label) {
                      case 0: return [4 /*yield*/, api.repeating(function () {
                              return loginWithCode().then(null, function (error) {
                                  if (CODE_REFUSED.indexOf(error.code) < 0)
                                      throw error;
                                  return loginWithCode();
                              });
                          })];
                      case 1:
                          reply = _a.sent();
                          return [2 /*return*/, adoptLogin(reply, generation, false)];
                  }
              });
          });
      }
      function firstSession(generation) {
          return __awaiter(this, void 0, Promise, function () {
              return __generator(this, function (_a) {
                  switch (_a.label) {
                      case 0:
                          if (store.isOut())
                              throw reasonOfAbsence();
                          if (!!store.read()) return [3 /*break*/, 2];
                          return [4 /*yield*/, open(generation)];
                      case 1:
                          _a.sent();
                          _a.label = 2;
                      case 2: return [2 /*return*/, store.read()];
                  }
              });
          });
      }
      /** Open a session in place of one that is over. */
      function reopen(generation) {
          return __awaiter(this, void 0, Promise, function () {
              var error_1;
              return __generator(this, function (_a) {
                  switch (_a.label) {
                      case 0:
                          _a.trys.push([0, 2, , 3]);
                          return [4 /*yield*/, open(generation)];
                      case 1:
                          _a.sent();
                          return [3 /*break*/, 3];
                      case 2:
                          error_1 = _a.sent();
                          throw error_1.reason === "disabled" ? lost(error_1) : error_1;
                      case 3: return [2 /*return*/, store.read()];
                  }
              });
          });
      }
      /** Refresh the session. After a lost response, try again: the service repeats it for 30 s. */
      function refresh(session, generation) {
          return __awaiter(this, void 0, Promise, function () {
              var body, attempt, reply;
              return __generator(this, function (_a) {
                  switch (_a.label) {
                      case 0:
                          body = { refresh_token: session.refreshToken };
                          attempt = function () { return api.post("refresh", body); };
                          return [4 /*yield*/, api.repeating(function () {
                                  return attempt().then(null, function (error) {
                                      if (error.reason !== "network" && error.reason !== "timeout")
                                          throw error;
                                      return attempt();
                                  });
                              })];
                      case 1:
                          reply = _a.sent();
                          return [2 /*return*/, adopt(reply, generation, session.userId, session.byPassword)];
                  }
              });
          });
      }
      /**
       * Return a session in place of one that the service refused with `error`: the stored one if it is
       * newer, or else a refreshed one, or else one that `wx.login` opens. Throws what the session was
       * lost with. With `resuming`, the caller opens a session itself if that is possible.
       */
      function renewNow(used, error, generation, resuming) {
          return __awaiter(this, void 0, Promise, function () {
              var session, refusal_1;
              return __generator(this, function (_a) {
                  switch (_a.label) {
                      case 0:
                          session = store.read();
                          if (!session)
                              return [2 /*return*/, firstSession(generation)];
                          if (session.token !== used)
                              return [2 /*return*/, session];
                          if (!(session.refreshToken && !has(FINAL, error))) return [3 /*break*/, 4];
                          _a.label = 1;
                      case 1:
                          _a.trys.push([1, 3, , 4]);
                          return [4 /*yield*/, refresh(session, generation)];
                      case 2: return [2 /*return*/, _a.sent()];
                      case 3:
                          refusal_1 = _a.sent();
                          error = refusal_1;
                          if (!isCurrent(generation) || !has(OVER, error))
                              throw error;
                          return [3 /*break*/, 4];
                      case 4:
                          if (resuming && !session.byPassword)
                              throw error;
                          if (session.byPassword || has(FINAL, error))
                              throw lost(error);
                          return [2 /*return*/, reopen(generation)];
                  }
              });
          });
      }
      /**
       * Send with the token of a session. If it is refused, renew the session and send once more,
       * unless another user is logged in by then. A second refusal for a reason in `final` loses the
       * session.
       */
      function attempt(session_1, send_1, renew_1) {
          return __awaiter(this, arguments, Promise, function (session, send, renew, final) {
              var userId, error_2, error_3, current, isOver;
              if (final === void 0) { final = FINAL; }
              return __generator(this, function (_a) {
                  switch (_a.label) {
                      case 0:
                          userId = session.userId;
                          _a.label = 1;
                      case 1:
                          _a.trys.push([1, 3, , 5]);
                          return [4 /*yield*/, send(session.token)];
                      case 2: return [2 /*return*/, _a.sent()];
                      case 3:
                          error_2 = _a.sent();
                          if (!has(OVER, error_2))
                              throw error_2;
                          return [4 /*yield*/, renew(session.token, error_2)];
                      case 4:
                          session = _a.sent();
                          return [3 /*break*/, 5];
                      case 5:
                          if (userId && session.userId && session.userId !== userId) {
                              throw newError("user_changed", "Another user is logged in now.", "changed");
                          }
                          _a.label = 6;
                      case 6:
                          _a.trys.push([6, 8, , 9]);
                          return [4 /*yield*/, send(session.token)];
                      case 7: return [2 /*return*/, _a.sent()];
                      case 8:
                          error_3 = _a.sent();
                          current = store.read();
                          isOver = has(final, error_3) && current && current.token === session.token;
                          throw isOver ? lost(error_3) : error_3;
                      case 9: return [2 /*return*/];
                  }
              });
          });
      }
      // The operations.
      function authorized(send) {
          return __awaiter(this, void 0, Promise, function () {
              var session, _a, sentAt;
              return __generator(this, function (_b) {
                  switch (_b.label) {
                      case 0:
                          _a = store.read();
                          if (_a) return [3 /*break*/, 2];
                          return [4 /*yield*/, shared("open", firstSession)];
                      case 1:
                          _a = (_b.sent());
                          _b.label = 2;
                      case 2:
                          session = _a;
                          sentAt = ++moment;
                          return [2 /*return*/, attempt(session, send, function (used, error) {
                                  // The requests of one burst share a failed renewal, too, whenever their refusals arrive.
                                  if (failure.token === used && failure.moment > sentAt)
                                      throw failure.error;
                                  return shared("renew " + used, function (generation) { return renewNow(used, error, generation, false); }).then(null, function (error) {
                                      failure = { token: used, moment: ++moment, error: error };
                                      throw error;
                                  });
                              })];
                  }
              });
          });
      }
      function resume(session, generation) {
          return __awaiter(this, void 0, Promise, function () {
              var send, reply, error_4;
              return __generator(this, function (_a) {
                  switch (_a.label) {
                      case 0:
                          send = function (token) { return api.call({ url: "/v1/me" }, token); };
                          _a.label = 1;
                      case 1:
                          _a.trys.push([1, 3, , 4]);
                          return [4 /*yield*/, attempt(session, send, function (used, error) { return renewNow(used, error, generation, true); })];
                      case 2:
                          reply = _a.sent();
                          return [2 /*return*/, { bound: true, user: reply.data }];
                      case 3:
                          error_4 = _a.sent();
                          if (error_4.reason === "unbound")
                              return [2 /*return*/, { bound: false, user: null }];
                          throw error_4;
                      case 4: return [2 /*return*/];
                  }
              });
          });
      }
      function loginNow(options, generation) {
          return __awaiter(this, void 0, Promise, function () {
              var session, wantsKey, _a, error_5, login;
              return __generator(this, function (_b) {
                  switch (_b.label) {
                      case 0:
                          session = store.read();
                          _a = options.sessionKey;
                          if (!_a) return [3 /*break*/, 2];
                          return [4 /*yield*/, transport.checkSession()];
                      case 1:
                          _a = !(_b.sent());
                          _b.label = 2;
                      case 2:
                          wantsKey = _a;
                          if (!(session && !options.fresh && !wantsKey)) return [3 /*break*/, 6];
                          _b.label = 3;
                      case 3:
                          _b.trys.push([3, 5, , 6]);
                          return [4 /*yield*/, resume(session, generation)];
                      case 4: return [2 /*return*/, _b.sent()];
                      case 5:
                          error_5 = _b.sent();
                          if (session.byPassword || !has(OVER, error_5))
                              throw error_5;
                          return [3 /*break*/, 6];
                      case 6: return [4 /*yield*/, open(generation)];
                      case 7:
                          login = _b.sent();
                          if (session && (options.fresh || wantsKey))
                              retire(session.token);
                          return [2 /*return*/, login];
                  }
              });
          });
      }
      function bindNow(action, body, generation) {
          return __awaiter(this, void 0, Promise, function () {
              var session, send, renew, reply, error_6, isStale;
              return __generator(this, function (_a) {
                  switch (_a.label) {
                      case 0: return [4 /*yield*/, firstSession(generation)];
                      case 1:
                          session = _a.sent();
                          send = function (token) { return api.post(action, body, token); };
                          _a.label = 2;
                      case 2:
                          _a.trys.push([2, 4, , 7]);
                          renew = function (used, error) {
                              // The user that the phone or account belongs to is disabled, not this session.
                              if (error.reason === "disabled")
                                  throw error;
                              return renewNow(used, error, generation, false);
                          };
                          return [4 /*yield*/, attempt(session, send, renew, ["revoked", "ended"])];
                      case 3:
                          reply = _a.sent();
                          return [2 /*return*/, adoptLogin(reply, generation, session.byPassword)];
                      case 4:
                          error_6 = _a.sent();
                          isStale = error_6.code === "session_key_expired" && !session.byPassword;
                          if (!isStale) return [3 /*break*/, 6];
                          return [4 /*yield*/, open(generation).then(function () { return retire(session.token); }, function () { return undefined; })];
                      case 5:
                          _a.sent();
                          _a.label = 6;
                      case 6: throw error_6;
                      case 7: return [2 /*return*/];
                  }
              });
          });
      }
      return {
          authorized: authorized,
          login: function (options) {
              return shared("login " + !!options.fresh + !!options.sessionKey, function (generation) { return loginNow(options, generation); });
          },
          passwordLogin: function (account, password) {
              return inTurn(function (generation) { return __awaiter(_this, void 0, void 0, function () {
                  var before, reply, login;
                  return __generator(this, function (_a) {
                      switch (_a.label) {
                          case 0:
                              before = store.read();
                              return [4 /*yield*/, api.post("password-login", { account: account, password: password })];
                          case 1:
                              reply = _a.sent();
                              login = adoptLogin(reply, generation, true);
                              if (before)
                                  retire(before.token);
                              return [2 /*return*/, login];
                      }
                  });
              }); });
          },
          bind: function (action, body) { return inTurn(function (generation) { return bindNow(action, body, generation); }); },
          logout: function (everywhere) {
              return __awaiter(this, void 0, void 0, function () {
                  var session, error_7;
                  return __generator(this, function (_a) {
                      switch (_a.label) {
                          case 0:
                              if (!everywhere) return [3 /*break*/, 2];
                              return [4 /*yield*/, authorized(function (token) { return api.post("logout-all", undefined, token); })];
                          case 1:
                              _a.sent();
                              _a.label = 2;
                          case 2:
                              session = store.read();
                              drop(null);
                              if (!session || everywhere)
                                  return [2 /*return*/];
                              _a.label = 3;
                          case 3:
                              _a.trys.push([3, 5, , 6]);
                              return [4 /*yield*/, api.post("logout", undefined, session.token)];
                          case 4:
                              _a.sent();
                              return [3 /*break*/, 6];
                          case 5:
                              error_7 = _a.sent();
                              if (!has(OVER, error_7))
                                  throw error_7;
                              return [3 /*break*/, 6];
                          case 6: return [2 /*return*/];
                      }
                  });
              });
          },
      };
  }
  function has(reasons, error) {
      return reasons.indexOf(error.reason) >= 0;
  }

  /** Events of WeChat's buttons and forms, read into request bodies. */
  /**
   * Return the body for the phone call. Base libraries since 2.21.2 give `code`, older ones only
   * `encryptedData` and `iv`. Throws why there is neither.
   */
  function phoneBody(event) {
      var detail = event.detail || event;
      if (detail.code)
          return { code: detail.code };
      if (detail.encryptedData && detail.iv)
          return { encryptedData: detail.encryptedData, iv: detail.iv };
      throw refusalOf(detail);
  }
  /**
   * Return the body for the profile call: open data of a user-info button, or `nickname` and
   * `avatar_url` of a form. Throws why the event has neither.
   */
  function profileBody(event) {
      var detail = event.detail || event;
      if (detail.encryptedData) {
          var rawData = detail.rawData, signature = detail.signature, encryptedData = detail.encryptedData, iv = detail.iv;
          return { rawData: rawData, signature: signature, encryptedData: encryptedData, iv: iv };
      }
      var _a = detail.value || detail, nickname = _a.nickname, avatar_url = _a.avatar_url;
      if (!nickname)
          throw refusalOf(detail);
      if (!avatar_url)
          return { nickname: nickname };
      if (/^https:/i.test(avatar_url))
          return { nickname: nickname, avatar_url: avatar_url };
      throw newError("avatar_not_uploaded", "Upload the picture first. Its path is local to this phone.", "refused");
  }
  /** Return the error for the `errno` and `errMsg` of a button that gave no data. */
  function refusalOf(detail) {
      var errno = detail.errno, _a = detail.errMsg, errMsg = _a === void 0 ? "The event has no data." : _a;
      if (errno === 103 || errno === 104 || /privacy permission is not authorized/i.test(errMsg)) {
          return newError("privacy_refused", errMsg, "privacy");
      }
      if (errno === 112 || /not declared in the privacy/i.test(errMsg)) {
          return newError("privacy_undeclared", errMsg, "unavailable");
      }
      if (errno === 1400001)
          return newError("phone_quota_used", errMsg, "unavailable");
      if (/deny|denied|cancel/i.test(errMsg))
          return newError("declined", errMsg, "declined");
      return newError("no_data", errMsg, "unavailable");
  }

  /** The events `login` and `kicked`. */
  /** Return an emitter. An error of a listener reaches `App.onError` and no other listener. */
  function newEmitter() {
      var listeners = [];
      return {
          on: function (event, call) {
              var listener = { event: event, call: call };
              listeners = listeners.concat(listener);
              return function () {
                  listeners = listeners.filter(function (other) { return other !== listener; });
              };
          },
          emit: function (event, value) {
              for (var _i = 0, listeners_1 = listeners; _i < listeners_1.length; _i++) {
                  var listener = listeners_1[_i];
                  if (listener.event === event)
                      Promise.resolve(value).then(listener.call).then(null, rethrow);
              }
          },
      };
  }
  function rethrow(error) {
      setTimeout(function () {
          throw error;
      });
  }

  /** The stored session of one mini-program at one service. */
  /** Return the store of an appid. Another appid or service in the same storage has another key. */
  function newSessionStore(transport, baseUrl, appid) {
      var key = "wxpass " + baseUrl + " " + appid;
      var memory = null;
      var isStored = true;
      function load() {
          if (!isStored)
              return memory;
          try {
              var text = transport.read(key);
              memory = typeof text === "string" && text ? recordOf(text) : null;
          }
          catch (_) {
              // Keep what this process knows.
          }
          return memory;
      }
      function keep(record) {
          memory = record;
          try {
              transport.write(key, JSON.stringify(record));
              isStored = true;
          }
          catch (_) {
              isStored = false;
          }
      }
      return {
          read: function () {
              var record = load();
              return record && "token" in record ? record : null;
          },
          isOut: function () {
              var record = load();
              return !!record && "out" in record;
          },
          write: keep,
          clear: function () { return keep({ out: true }); },
      };
  }
  function recordOf(text) {
      try {
          var record = JSON.parse(text);
          if (record && record.out)
              return { out: true };
          return record && typeof record.token === "string" ? record : null;
      }
      catch (_) {
          return null;
      }
  }

  /** Transports over the API that WeChat, uni-app and Taro share, and over WeChat's cloud gateway. */
  /** Milliseconds after which a call of the platform that has not called back is given up. */
  var LONGEST = 10000;
  /** Return the transport of a native mini-program, over `wx`. */
  function wxTransport(api) {
      if (api === void 0) { api = wx; }
      return platformTransport(api);
  }
  function platformTransport(api) {
      return {
          send: function (request) { return start$1(function (callbacks) { return api.request(merged(callbacks, request)); }); },
          login: function () {
              return new Promise(function (resolve, reject) {
                  swallow(api.login({ provider: "weixin", success: resolve, fail: reject }));
                  setTimeout(function () { return reject("login:fail timeout"); }, LONGEST);
              }).then(function (result) {
                  if (result.code)
                      return result.code;
                  throw newError("wx_login_failed", "wx.login returned no code", "network");
              }, function (failure) {
                  throw newError("wx_login_failed", platformError(failure).message, "network");
              });
          },
          checkSession: function () {
              return new Promise(function (resolve) {
                  if (!api.checkSession)
                      return resolve(true);
                  swallow(api.checkSession({ success: function () { return resolve(true); }, fail: function () { return resolve(false); } }));
                  setTimeout(function () { return resolve(true); }, LONGEST);
              });
          },
          appid: function () { return (api.getAccountInfoSync ? api.getAccountInfoSync().miniProgram.appId : ""); },
          read: function (key) { return api.getStorageSync(key); },
          write: function (key, text) { return api.setStorageSync(key, text); },
      };
  }
  /** Call a function with `success` and `fail`, and return its request task as an exchange. */
  function start$1(call) {
      var task;
      var response = new Promise(function (resolve, reject) {
          task = call({ success: resolve, fail: function (failure) { return reject(platformError(failure)); } });
          swallow(task);
      });
      return { response: response, abort: function () { return task && task.abort && task.abort(); } };
  }
  /** Ignore the promise that Taro returns besides calling `fail`. Its rejection is not a second one. */
  function swallow(result) {
      if (result && result.then)
          result.then(null, function () { return undefined; });
  }
  function merged() {
      var parts = [];
      for (var _i = 0; _i < arguments.length; _i++) {
          parts[_i] = arguments[_i];
      }
      var result = {};
      for (var _a = 0, parts_1 = parts; _a < parts_1.length; _a++) {
          var part = parts_1[_a];
          for (var name in part)
              if (part[name] !== undefined)
                  result[name] = part[name];
      }
      return result;
  }
  /**
   * Return a client of wxpass. Create one for each appid, when the mini-program starts, and share it.
   * Throws an Error if `baseUrl` is no address, or if the appid is unknown.
   */
  function createClient(options) {
      var _this = this;
      var transport = options.transport || wxTransport();
      var appid = options.appid || transport.appid();
      if (!appid)
          throw new Error("appid is missing, and the platform does not tell it");
      var api = newApi(options, transport, appid);
      var store = newSessionStore(transport, baseUrlOf(options), appid);
      var events = newEmitter();
      var auth = newAuthenticator(api, transport, store, events);
      function fetchReply(request, control) {
          return auth.authorized(function (token) { return api.call(request, token, control); });
      }
      function request(options) {
          return cancellable(function (control) { return fetchReply(options, control).then(function (reply) { return reply.data; }); });
      }
      var client = {
          appid: appid,
          login: function (loginOptions) {
              if (loginOptions === void 0) { loginOptions = {}; }
              return auth.login(loginOptions);
          },
          passwordLogin: auth.passwordLogin,
          // A promise, so that a declined button rejects instead of throwing.
          onPhone: function (event) { return __awaiter(_this, void 0, void 0, function () { return __generator(this, function (_a) {
              return [2 /*return*/, auth.bind("phone", phoneBody(event))];
          }); }); },
          bindAccount: function (account, password) { return auth.bind("bind", { account: account, password: password }); },
          unbind: function () { return auth.bind("unbind", undefined); },
          onProfile: function (event) { return __awaiter(_this, void 0, void 0, function () {
              var body, reply;
              return __generator(this, function (_a) {
                  switch (_a.label) {
                      case 0:
                          body = profileBody(event);
                          return [4 /*yield*/, auth.authorized(function (token) { return api.post("profile", body, token); })];
                      case 1:
                          reply = _a.sent();
                          return [2 /*return*/, reply.data];
                  }
              });
          }); },
          me: function () { return request({ url: "/v1/me" }); },
          sessions: function () {
              return __awaiter(this, arguments, void 0, function (page) {
                  var reply;
                  if (page === void 0) { page = {}; }
                  return __generator(this, function (_a) {
                      switch (_a.label) {
                          case 0: return [4 /*yield*/, fetchReply({ url: "/v1/me/sessions", data: page })];
                          case 1:
                              reply = _a.sent();
                              return [2 /*return*/, { items: reply.data, next: reply.header("X-Next-Cursor") || null }];
                      }
                  });
              });
          },
          endSession: function (id) { return request({ url: "/v1/me/sessions/" + encodeURIComponent(id), method: "DELETE" }); },
          endOtherSessions: function () { return request({ url: "/v1/me/sessions", method: "DELETE" }); },
          logout: function (logoutOptions) {
              if (logoutOptions === void 0) { logoutOptions = {}; }
              return auth.logout(!!logoutOptions.everywhere);
          },
          isLoggedOut: store.isOut,
          request: request,
          on: events.on,
      };
      return client;
  }

  /** A `wx` object: HTTP goes through the simulator, and codes come from it. */
  /** A phone with WeChat, on which one person runs one mini-program. */
  class Wx {
      constructor(side, person, appid) {
          this.side = side;
          this.person = person;
          this.appid = appid;
          this.getAccountInfoSync = () => ({ miniProgram: { appId: this.appid } });
          this.getStorageSync = (key) => localStorage.getItem(this.keyOf(key)) || "";
          this.setStorageSync = (key, data) => localStorage.setItem(this.keyOf(key), data);
          this.login = (options) => {
              this.call("login").then(({ code }) => options.success?.({ code, errMsg: "login:ok" }), (error) => options.fail?.({ errMsg: `login:fail ${error.message}` }));
          };
          this.checkSession = (options) => {
              const fail = () => options.fail?.({ errMsg: "checkSession:fail" });
              this.call("check-session").then(({ valid }) => (valid ? options.success?.({}) : fail()), fail);
          };
          this.request = (options) => {
              const stop = new AbortController();
              let why = "net::ERR_CONNECTION_RESET";
              const abort = (reason) => {
                  why = reason;
                  stop.abort();
              };
              const timer = setTimeout(() => abort("timeout"), options.timeout || 60000);
              this.send(options, stop.signal)
                  .then(options.success, () => options.fail?.({ errMsg: `request:fail ${why}` }))
                  .finally(() => clearTimeout(timer));
              return { abort: () => abort("abort") };
          };
      }
      /** Return the event of a tap on the phone button: a code, or encrypted data in old versions. */
      async tapPhone(old) {
          return { detail: { ...(await this.call("phone", { old })), errMsg: "getPhoneNumber:ok" } };
      }
      /** Return the event of a tap on the phone button that the person declined. */
      async declinePhone() {
          const errMsg = "getPhoneNumber:fail user deny";
          await this.call("refused", { message: errMsg });
          return { detail: { errMsg } };
      }
      async send(options, signal) {
          const url = new URL(options.url);
          const isRead = options.method === "GET";
          if (isRead)
              for (const name in options.data)
                  url.searchParams.set(name, options.data[name]);
          const response = await fetch(url, {
              method: options.method,
              headers: { ...options.header, "X-Demo-Phone": this.side },
              body: isRead || options.data === undefined ? undefined : JSON.stringify(options.data),
              signal,
          });
          const text = await response.text();
          return { statusCode: response.status, header: Object.fromEntries(response.headers), data: parsed(text) };
      }
      call(what, more = {}) {
          return post(`wx/${what}`, { phone: this.side, person: this.person, appid: this.appid, ...more });
      }
      keyOf(key) {
          return `${this.side} ${this.person} ${key}`;
      }
  }
  /** As `wx.request` does: JSON if possible, text otherwise. */
  function parsed(text) {
      try {
          return JSON.parse(text);
      }
      catch {
          return text;
      }
  }

  /** The small mini-program: what it does with `@wxpass/miniprogram`, without its looks. */
  /** One mini-program on one phone, of one person. */
  class Program {
      constructor(side, person, appid, changed) {
          this.changed = changed;
          /** Whether the phone has an old version of WeChat, with the old phone button. */
          this.isOld = false;
          /** The code of the error of the last action, or "". */
          this.failure = "";
          this.kicked = "";
          this.state = { screen: "start", busy: false, asks: false, user: null, sessions: [], message: "" };
          this.wx = new Wx(side, person, appid);
          this.client = createClient({
              baseUrl: new URL("service", location.href).href,
              appid,
              transport: wxTransport(this.wx),
              language: serviceLanguage(),
          });
          this.client.on("login", (login) => this.show(login));
          this.client.on("kicked", (error) => {
              this.kicked = error.code;
              this.change({ screen: "kicked", user: null, message: error.message });
          });
      }
      /** Whether this phone has a session of the person. */
      get hasSession() {
          return Object.keys(localStorage).some((key) => {
              const { side, person, appid } = this.wx;
              return key.startsWith(`${side} ${person} wxpass `) && key.endsWith(appid) && !!localStorage[key].includes("token");
          });
      }
      /** Log in, as the mini-program does when it opens. */
      logIn() {
          return this.act(async () => this.show(await this.client.login()));
      }
      /** Tap the phone button. WeChat asks the person for permission. */
      askForPhone() {
          this.change({ asks: true, message: "" });
      }
      /** Answer the dialog of the phone button. */
      answerPhone(allows) {
          this.change({ asks: false });
          return this.act(async () => {
              const event = allows ? await this.wx.tapPhone(this.isOld) : await this.wx.declinePhone();
              await this.client.onPhone(event);
          });
      }
      bindAccount(account, password) {
          return this.act(async () => void (await this.client.bindAccount(account, password)));
      }
      saveNickname(nickname, saved) {
          return this.act(async () => {
              const profile = await this.client.onProfile({ detail: { value: { nickname } } });
              const { user } = this.state;
              if (user)
                  this.change({ user: { ...user, ...profile }, message: saved });
          });
      }
      listDevices() {
          return this.act(async () => {
              const { items } = await this.client.sessions();
              this.change({ screen: "devices", sessions: items });
          });
      }
      endDevice(id) {
          return this.act(async () => {
              await this.client.endSession(id);
              const { items } = await this.client.sessions();
              this.change({ sessions: items });
          });
      }
      logOut() {
          return this.act(async () => {
              await this.client.logout();
              this.change({ screen: "start", user: null });
          });
      }
      /** Run an action. Its error is shown to the person. */
      async act(action) {
          this.failure = "";
          this.change({ busy: true, message: "" });
          try {
              await action();
          }
          catch (error) {
              this.failure = isWxpassError(error) ? error.code : "failed";
              if (this.state.screen !== "kicked")
                  this.change({ message: error.message });
          }
          finally {
              this.change({ busy: false });
          }
      }
      change(state) {
          this.state = { ...this.state, ...state };
          this.changed();
      }
      show({ bound, user }) {
          this.kicked = "";
          this.change({ screen: bound ? "member" : "unbound", user });
      }
  }

  /** The looks of the mini-program. */
  /** Return the screen that a mini-program shows. */
  function screenOf(program, appName) {
      const { state } = program;
      const screens = {
          start: () => startScreen(program, appName),
          kicked: () => kickedScreen(program),
          unbound: () => unboundScreen(program),
          account: () => accountScreen(program),
          member: () => memberScreen(program),
          devices: () => devicesScreen(program),
      };
      return screens[state.screen]();
  }
  /** Return the dialog with which WeChat asks for the phone number. */
  function phoneSheet(program, appName, phone) {
      const words = texts().program;
      return h("div", { class: "shade" }, h("div", { class: "sheet", role: "dialog", "aria-label": words.sheetTitle }, h("p", { class: "asker" }, mark(appName), h("span", {}, appName)), h("h3", {}, words.sheetTitle), h("p", { class: "muted" }, words.sheetText), h("p", { class: "number" }, h("b", {}, phone), h("small", {}, words.sheetNumber)), h("p", { class: "choices" }, button(words.deny, () => void program.answerPhone(false), "plain"), button(words.allow, () => void program.answerPhone(true), "primary"))));
  }
  /** Return the first letter of a name in a coloured square. */
  function mark(name) {
      const tone = [...name].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % 5;
      return h("i", { class: `mark tone-${tone}`, "aria-hidden": "true" }, name.charAt(0).toUpperCase());
  }
  function startScreen(program, appName) {
      const words = texts().program;
      return [
          h("div", { class: "hero" }, mark(appName), h("h3", {}, words.welcome), h("p", { class: "muted" }, words.hint)),
          action(program, words.logIn, () => void program.logIn()),
      ];
  }
  function kickedScreen(program) {
      const words = texts().program;
      return [
          h("div", { class: "hero" }, h("h3", {}, words.kicked), h("p", { class: "muted" }, program.state.message)),
          action(program, words.logIn, () => void program.logIn()),
      ];
  }
  function unboundScreen(program) {
      const words = texts().program;
      return [
          h("div", { class: "hero" }, h("h3", {}, words.almost), h("p", { class: "muted" }, words.almostHint)),
          action(program, words.byPhone, () => program.askForPhone()),
          button(words.byAccount, () => program.change({ screen: "account", message: "" }), "link"),
      ];
  }
  function accountScreen(program) {
      const words = texts().program;
      const account = h("input", { placeholder: words.account, "aria-label": words.account, autocomplete: "off" });
      const password = h("input", { placeholder: words.password, "aria-label": words.password, type: "password", autocomplete: "off" });
      const values = () => [account, password].map((input) => input.value);
      const submit = () => {
          const [name, secret] = values();
          void program.bindAccount(name, secret);
      };
      return [
          h("div", { class: "card form" }, account, password),
          action(program, words.submit, submit),
          button(words.back, () => program.change({ screen: "unbound", message: "" }), "link"),
      ];
  }
  function memberScreen(program) {
      const words = texts().program;
      const { user } = program.state;
      const name = user?.nickname || user?.account || "";
      const nickname = h("input", { placeholder: words.profile, "aria-label": words.profile, value: user?.nickname || "", maxlength: "20" });
      const save = () => void program.saveNickname(nickname.value.trim(), words.saved);
      return [
          h("div", { class: "card member" }, mark(name || "?"), h("div", {}, h("b", { class: name ? "" : "muted" }, name || words.noName), h("small", {}, masked(user?.phone) || words.noPhone)), h("span", { class: "badge" }, words.member)),
          h("div", { class: "card row" }, nickname, button(words.save, save, "small")),
          h("div", { class: "card rows" }, button(words.devices, () => void program.listDevices(), "entry"), button(words.reopen, () => void program.logIn(), "entry"), button(words.logOut, () => void program.logOut(), "entry")),
      ];
  }
  function devicesScreen(program) {
      const words = texts().program;
      const entries = program.state.sessions.map((session) => h("div", { class: "device" }, h("div", {}, h("b", {}, modelOf(session.device)), h("small", {}, session.app_name || "")), session.current
          ? h("small", { class: "muted" }, words.thisDevice)
          : button(words.end, () => void program.endDevice(session.id), "small")));
      return [
          h("div", { class: "card rows" }, ...entries),
          button(words.back, () => program.change({ screen: "member" }), "link"),
      ];
  }
  function action(program, text, run) {
      return button(program.state.busy ? texts().program.loading : text, run, "primary", program.state.busy);
  }
  function masked(phone) {
      return phone ? `${phone.slice(0, -8)}****${phone.slice(-4)}` : "";
  }
  function modelOf(device) {
      return /Android/.test(device || "") ? "Android" : "iPhone";
  }

  /** A phone on the page: its person and mini-program, its frame, and its screen. */
  /** Shows one phone. */
  class Phone {
      constructor(side, tenants) {
          this.side = side;
          this.tenants = tenants;
          this.screen = h("div", { class: "screen" });
          this.bar = h("div", { class: "bar" });
          this.choices = h("div", { class: "choices-of-phone" });
          this.known = [];
          this.element = h("section", { class: "phone", id: `phone-${side}`, "aria-label": texts().sides[side] }, this.choices, h("div", { class: "frame" }, h("div", { class: "status" }, h("span", {}, "9:41"), h("span", { class: "battery" })), this.bar, this.screen));
      }
      /** Put a mini-program of a person on the phone. A stored session is resumed. */
      async use(person, appid) {
          const program = new Program(this.side, person, appid, () => this.program === program && this.show());
          program.isOld = !!this.program?.isOld;
          this.program = program;
          this.known = await people();
          if (this.program !== program)
              return;
          this.showChoices();
          this.show();
          if (program.hasSession)
              await program.logIn();
      }
      /** Choose the version of WeChat on the phone. */
      setOld(isOld) {
          this.program.isOld = isOld;
          this.showChoices();
      }
      show() {
          const { program } = this;
          const appName = this.appName();
          const { message, screen, asks } = program.state;
          fill(this.bar, h("b", {}, appName), h("span", { class: "capsule", "aria-hidden": "true" }, h("i", { class: "dots" }), h("i", { class: "ring" })));
          const number = this.known.find((one) => one.name === program.wx.person)?.phone || "";
          fill(this.screen, ...screenOf(program, appName), message && screen !== "kicked" ? h("p", { class: "toast", role: "status" }, message) : null, asks ? phoneSheet(program, appName, number) : null);
          this.element.dataset.person = program.wx.person;
          this.element.dataset.app = appName;
          this.element.dataset.screen = screen;
          this.element.dataset.busy = String(program.state.busy);
      }
      showChoices() {
          const words = texts();
          const { person, appid } = this.program.wx;
          const persons = this.known.map(({ name, nickname }) => option(name, nickname, person));
          const apps = this.tenants.map((tenant) => h("optgroup", { label: tenant.name }, ...tenant.apps.map((app) => option(app.appid, app.name, appid))));
          const version = this.program.isOld ? "data" : "code";
          const buttons = ["code", "data"].map((kind) => option(kind, words.buttons[kind], version));
          fill(this.choices, h("h2", {}, words.sides[this.side]), select(words.person, persons, (name) => void this.use(name, this.program.wx.appid)), select(words.app, apps, (other) => void this.use(this.program.wx.person, other)), select(words.button, buttons, (kind) => this.setOld(kind === "data")), button(words.newPerson, () => void newPerson().then((name) => this.use(name, this.program.wx.appid)), "link"));
      }
      appName() {
          const apps = this.tenants.flatMap((tenant) => tenant.apps);
          return apps.find((app) => app.appid === this.program.wx.appid)?.name || "";
      }
  }
  function option(value, text, chosen) {
      return h("option", { value, selected: value === chosen }, text);
  }
  function select(label, options, changed) {
      const list = h("select", { onchange: () => changed(list.value) }, ...options);
      return h("label", {}, h("span", {}, label), list);
  }

  /** What a scene is, and how it is played. */
  const SHOP = "wxaaaa000000000001";
  const CLUB = "wxaaaa000000000002";
  const LIFE = "wxbbbb000000000001";
  /** Wait until a condition holds, for 10 seconds at most. */
  async function until(holds) {
      for (let tries = 0; tries < 100; tries++) {
          if (await holds())
              return true;
          await new Promise((resolve) => setTimeout(resolve, 100));
      }
      return false;
  }
  /** Return the linking decision of the last exchange of a kind, as the service logged it. */
  function decisionOf$1(exchanges) {
      return exchanges.length ? exchanges[exchanges.length - 1].facts.decision || "" : "";
  }
  /** Milliseconds between the steps, so that a reader can follow. */
  const PAUSE = 500;
  /** One performance of a scene. */
  class Play {
      constructor(scene, stage, changed) {
          this.scene = scene;
          this.stage = stage;
          this.changed = changed;
          this.results = [];
          this.error = "";
          this.isRunning = false;
          this.position = 0;
      }
      get state() {
          if (this.error || this.position === this.scene.steps.length)
              return "done";
          return this.position || this.isRunning ? "playing" : "ready";
      }
      get hasPassed() {
          return !this.error && this.results.length === this.scene.en.checks.length && this.results.every(Boolean);
      }
      stateOf(step) {
          if (step < this.position)
              return "past";
          if (step > this.position || !this.isRunning)
              return this.error && step === this.position ? "bad" : "";
          return "running";
      }
      /** Run the next step. */
      async next() {
          if (this.isRunning || this.state === "done")
              return;
          this.isRunning = true;
          this.changed();
          try {
              if (!this.position)
                  await this.prepare();
              const results = await this.scene.steps[this.position](this.stage);
              if (results)
                  this.results = results;
              this.position++;
          }
          catch (error) {
              this.error = error.message;
          }
          this.isRunning = false;
          await this.stage.traffic.refresh();
          this.changed();
      }
      /** Forget what was shown, and undo what an interrupted scene has left. */
      async prepare() {
          await post("tidy");
          await this.stage.traffic.refresh();
          this.stage.traffic.clear();
      }
      /** Run all steps that are left. */
      async all() {
          await this.next();
          while (this.state !== "done") {
              await new Promise((resolve) => setTimeout(resolve, PAUSE));
              await this.next();
          }
      }
  }

  /** How scenes begin: with a new person, or with a member. */
  /** Put a person on a phone who is unknown to every tenant, and return the name. */
  async function useNewPerson(phone, appid = SHOP) {
      const person = await newPerson();
      await phone.use(person, appid);
      phone.setOld(false);
      return person;
  }
  /** Log a new person in and bind by phone. */
  async function useNewMember(phone, appid = SHOP) {
      const person = await useNewPerson(phone, appid);
      await phone.program.logIn();
      await bindByPhone(phone.program);
      expectScreen(phone.program, "member");
      return person;
  }
  /** Tap the phone button and allow. */
  async function bindByPhone(program) {
      program.askForPhone();
      await program.answerPhone(true);
  }
  /** Throw an Error if the mini-program shows another screen. */
  function expectScreen(program, screen) {
      if (program.state.screen !== screen) {
          throw new Error(`${program.state.screen}: ${program.state.message || program.failure}`);
      }
  }

  /** Scenes about logging in and binding. */
  const firstLogin = {
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
              const isUnbound = left.program.state.screen === "unbound" && decisionOf$1(logins) === "wait";
              const hasKey = (answer) => JSON.stringify(answer).includes("session_key");
              return [isUnbound, hasKey(asked[0].answer) && !hasKey(logins[0].answer)];
          },
      ],
  };
  const phoneByCode = {
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
              return [decisionOf$1([bound]) === "register", left.program.state.screen === "member" && isNew];
          },
      ],
  };
  const phoneByData = {
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
              const isBound = decisionOf$1(await traffic.of("phone")) === "bind";
              const asked = await traffic.of("getuserphonenumber");
              return [isBound && user?.nickname === `VIP ${left.program.wx.person}`, asked.length === 0];
          },
      ],
  };
  const refusal = {
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
  const account = {
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
  const profile = {
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
  const otherApps = {
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
  const LOGINS = [firstLogin, phoneByCode, phoneByData, refusal, account, profile, otherApps];

  /** Scenes about sessions: time, races, devices and operators. */
  const nextDay = {
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
  const expired = {
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
  const sessionKeys = {
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
  const repeatedCode = {
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
  function sendCode(wx) {
      const url = new URL(`service/v1/apps/${SHOP}/login`, location.href).href;
      const header = { "content-type": "application/json" };
      return new Promise((resolve, reject) => {
          wx.request({ url, method: "POST", data: { code }, header, success: () => resolve(), fail: reject });
      });
  }
  const secondDevice = {
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
              if (other)
                  await left.program.endDevice(other.id);
          },
          async ({ right, traffic }) => {
              await right.program.act(async () => void (await right.program.client.me()));
              const isBound = (await traffic.of("login")).slice(-1)[0]?.answer.bound === true;
              const lists = (await traffic.of("sessions")).filter((one) => Array.isArray(one.answer));
              return [isBound, lists[0].answer.length === 2, right.program.kicked === "session_revoked"];
          },
      ],
  };
  const console = {
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
  const SESSIONS = [nextDay, expired, sessionKeys, repeatedCode, secondDevice, console];

  /** Scenes about WeChat: withdrawn consent, and faults. */
  const consent = {
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
              const isAudited = events.some((event) => event.action === "consent.withdrawn");
              return [push.status === 200, hadPhone && isDeleted, isAudited];
          },
      ],
  };
  const slow = {
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
  const busy = {
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
  const wrongSecret = {
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
  const WECHAT = [consent, slow, busy, wrongSecret];

  /** All scenes, in the order in which a newcomer reads them. */
  const SCENES = [...LOGINS, ...SESSIONS, ...WECHAT];

  /** The scenes: a button for each, its steps, and its result. */
  /** Shows the scenes and plays one of them. */
  class ScenePanel {
      constructor(stage) {
          this.stage = stage;
          this.element = h("section", { class: "scenes" });
          this.play = null;
          this.show();
      }
      show() {
          const entries = SCENES.map((scene) => this.entry(scene));
          fill(this.element, h("h2", {}, texts().scenes), h("ul", {}, ...entries));
          this.scrollToPlay();
      }
      /** Scroll the list, but not the page, so that the result of the scene is visible. */
      scrollToPlay() {
          const end = this.element.querySelector(".play")?.getBoundingClientRect().bottom || 0;
          this.element.scrollTop += Math.max(0, end - this.element.getBoundingClientRect().bottom + 16);
      }
      entry(scene) {
          const isChosen = this.play?.scene === scene;
          const { title, about } = scene[language()];
          const choose = () => this.choose(isChosen ? null : scene);
          return h("li", { class: isChosen ? "chosen" : "", id: `scene-${scene.id}` }, h("button", { type: "button", class: "scene", onclick: choose, "aria-expanded": String(isChosen) }, h("b", {}, title), h("span", {}, about)), isChosen && this.play ? this.details(this.play) : null);
      }
      choose(scene) {
          if (this.play?.isRunning)
              return;
          this.play = scene && new Play(scene, this.stage, () => this.show());
          this.show();
      }
      details(play) {
          const words = texts();
          const { steps, checks } = play.scene[language()];
          const items = steps.map((text, index) => h("li", { class: play.stateOf(index) }, text));
          const results = checks.map((text, index) => h("li", { class: play.results[index] ? "good" : "bad" }, text));
          const again = () => this.choose(play.scene);
          return h("div", { class: "play", "data-state": play.state }, h("ol", { class: "steps" }, ...items), play.error && h("p", { class: "error" }, play.error), play.state === "done" &&
              h("div", { class: `result ${play.hasPassed ? "good" : "bad"}` }, h("b", {}, play.hasPassed ? words.passed : words.failed), h("ul", {}, ...results)), h("p", { class: "controls" }, play.state === "done"
              ? button(words.again, again, "plain")
              : button(words.play, () => void play.all(), "primary", play.isRunning), play.state !== "done" && button(words.next, () => void play.next(), "plain", play.isRunning)));
      }
  }

  /** One line about an answer. */
  /** Return what an answer says, such as `200 bound`. */
  function summaryOf(exchange) {
      const { status, answer, target } = exchange;
      const words = texts().answers;
      if (status === null)
          return texts().unanswered;
      if (exchange.source === "phone" && target === "wechat")
          return phoneAnswer(answer);
      const failure = answer?.errcode ? `errcode ${answer.errcode}` : status >= 400 && answer?.code;
      if (failure)
          return `${status} ${failure}`;
      return `${status} ${contentOf(exchange) || words.ok}`;
  }
  /** Return the class of an answer: `good` or `bad`. */
  function toneOf({ status, answer }) {
      return status === null || status >= 400 || answer?.errcode ? "bad" : "good";
  }
  function phoneAnswer(answer) {
      const words = texts().answers;
      if (answer.errmsg)
          return words.declined;
      if (answer.code)
          return `${words.code} ${answer.code}`;
      return answer.encryptedData ? words.data : words.ok;
  }
  function contentOf({ kind, answer }) {
      const words = texts().answers;
      if (answer && typeof answer.bound === "boolean") {
          const name = answer.user && (answer.user.nickname || answer.user.account || answer.user.phone);
          return answer.bound ? [words.bound, name].filter(Boolean).join(" · ") : words.unbound;
      }
      if (kind === "jscode2session")
          return words.identity;
      if (kind === "stable_token")
          return words.token;
      if (kind === "getuserphonenumber")
          return words.number;
      if (kind === "refresh")
          return words.tokens;
      if (kind === "me")
          return answer?.nickname || answer?.account || answer?.phone || words.user;
      if (kind === "audit")
          return answer?.items?.[0]?.action || "";
      if (Array.isArray(answer))
          return `${answer.length} ${answer.length === 1 ? words.one : words.many}`;
      return "";
  }

  /** The list of exchanges as a sequence diagram of phone, service and WeChat. */
  const opened = new Set();
  /** Show exchanges. Details that the reader opened stay open. */
  function showTimeline(list, exchanges) {
      const lines = linesOf(exchanges);
      if (!lines.length)
          return fill(list, h("li", { class: "empty" }, texts().empty));
      const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 80;
      fill(list, ...lines.map(lineElement));
      if (isAtEnd)
          list.scrollTop = list.scrollHeight;
  }
  /** Return requests and answers in the order of their times. */
  function linesOf(exchanges) {
      const lines = [];
      for (const exchange of exchanges) {
          lines.push({ exchange, isAnswer: false, at: exchange.at });
          if (exchange.ended !== null)
              lines.push({ exchange, isAnswer: true, at: exchange.ended });
      }
      return lines.sort((one, other) => one.at - other.at);
  }
  function lineElement({ exchange, isAnswer }) {
      const source = laneOf(exchange.source);
      const target = laneOf(exchange.target);
      const [from, to] = isAnswer ? [target, source] : [source, target];
      const classes = ["line", `from-${from}`, `to-${to}`, isAnswer ? "answer" : "request"];
      if (isAnswer)
          classes.push(toneOf(exchange));
      if (exchange.source === "console")
          classes.push("console");
      const item = h("li", { class: classes.join(" "), "data-kind": exchange.kind, "data-id": String(exchange.id) });
      item.append(summary(exchange, isAnswer));
      if (isAnswer)
          item.append(...decisionOf(exchange));
      return item;
  }
  function summary(exchange, isAnswer) {
      const { lanes, kinds, sides, docs } = texts();
      const who = exchange.source === "console" ? lanes.console : exchange.phone ? sides[exchange.phone] : "";
      const details = h("details", { ontoggle: () => remember(exchange, isAnswer, details) });
      if (opened.has(keyOf(exchange, isAnswer)))
          details.setAttribute("open", "");
      const name = isAnswer ? summaryOf(exchange) : kinds[exchange.kind] || exchange.kind;
      details.append(h("summary", {}, !isAnswer && who && h("small", {}, who), h("b", {}, name), isAnswer && exchange.ended !== null && h("small", {}, milliseconds(exchange.ended - exchange.at)), h("i", { class: "arrow" })), h("div", { class: "detail" }, h("pre", {}, readable(isAnswer ? exchange.answer : exchange.request)), h("a", { href: linkOf(exchange.kind), target: "_blank", rel: "noreferrer" }, docs)));
      return details;
  }
  /** Return the decision, or the error, with the reason that the service's log gives. */
  function decisionOf(exchange) {
      const { decision, evidence, registration, failure, cause, errcode } = exchange.facts;
      const words = texts();
      if (failure) {
          const isKnown = !errcode || errcode === "None" || (cause || "").includes(errcode);
          const why = [exchange.answer?.detail, cause, !isKnown && `errcode ${errcode}`];
          return [note("refused", failure, why.filter(Boolean).join(" · "), linkOfError(failure))];
      }
      if (!decision)
          return [];
      const why = [words.evidence[evidence], words.policies[registration]].filter(Boolean).join(" · ");
      return [note("decided", words.decisions[decision] || decision, why, linkOfDecision())];
  }
  function note(kind, name, why, link) {
      const words = texts();
      return h("div", { class: `note ${kind}`, "data-name": name }, h("b", {}, `${kind === "refused" ? words.refused : words.decision}: ${name}`), h("span", {}, why), h("small", {}, `${words.log} · `, h("a", { href: link, target: "_blank", rel: "noreferrer" }, words.docs)));
  }
  function milliseconds(seconds) {
      return seconds < 0.001 ? "< 1 ms" : `${Math.round(seconds * 1000)} ms`;
  }
  function laneOf(place) {
      return place === "console" ? "phone" : place;
  }
  function remember(exchange, isAnswer, details) {
      const key = keyOf(exchange, isAnswer);
      if (details.open)
          opened.add(key);
      else
          opened.delete(key);
  }
  function keyOf(exchange, isAnswer) {
      return exchange.id * 2 + Number(isAnswer);
  }
  /** Return a value as lines of `name: value`. */
  function readable(value, indent = "") {
      if (value === null || value === undefined)
          return "";
      if (typeof value !== "object")
          return `${indent}${value}\n`;
      return Object.entries(value)
          .filter(([, entry]) => entry !== null)
          .map(([name, entry]) => typeof entry === "object" ? `${indent}${name}:\n${readable(entry, `${indent}  `)}` : `${indent}${name}: ${entry}\n`)
          .join("");
  }

  /** The exchanges that the simulator records, in the order of their beginning. */
  const EVERY = 300;
  /** Fetches what the simulator records, and calls back after each change. */
  class Traffic {
      constructor(changed) {
          this.changed = changed;
          this.exchanges = new Map();
          this.revision = 0;
          this.hidden = 0;
          this.fetching = Promise.resolve();
      }
      /** Begin to poll. What was recorded before is not shown. */
      async start() {
          await this.refresh();
          this.clear();
          setInterval(() => document.hidden || void this.refresh(), EVERY);
      }
      /** Fetch what is new now. */
      refresh() {
          this.fetching = this.fetching.then(() => this.fetch());
          return this.fetching;
      }
      /** Hide what was recorded so far. */
      clear() {
          this.hidden = Math.max(this.hidden, ...this.exchanges.keys());
          this.exchanges.clear();
          this.changed([]);
      }
      /** Return the exchanges of a kind that were recorded since `clear`. */
      async of(kind) {
          await this.refresh();
          return this.shown().filter((one) => one.kind === kind);
      }
      shown() {
          return [...this.exchanges.values()].sort((one, other) => one.id - other.id);
      }
      async fetch() {
          const reply = await get(`traffic?after=${this.revision}`).catch(() => null);
          if (!reply)
              return;
          const { revision, exchanges } = reply;
          if (revision < this.revision) {
              // The simulator was restarted, and its ids begin again.
              this.exchanges.clear();
              this.revision = this.hidden = 0;
              return this.fetch();
          }
          if (!exchanges.length)
              return;
          this.revision = revision;
          for (const one of exchanges)
              if (one.id > this.hidden)
                  this.exchanges.set(one.id, one);
          this.changed(this.shown());
      }
  }

  /** The page: two phones, the scenes, and the list of requests. */
  async function start() {
      const words = texts();
      document.documentElement.lang = language() === "zh" ? "zh-CN" : "en";
      document.title = words.title;
      const { tenants: known, service } = await tenants();
      linkToService(service);
      const list = h("ol", { class: "timeline" });
      const traffic = new Traffic((exchanges) => showTimeline(list, exchanges));
      const left = new Phone("left", known);
      const right = new Phone("right", known);
      const scenes = new ScenePanel({ left, right, traffic, tenants: known });
      const lanes = ["phone", "service", "wechat"].map((lane) => h("b", {}, words.lanes[lane]));
      document.body.append(header(service), h("main", {}, scenes.element, h("div", { class: "phones" }, left.element, right.element), h("section", { class: "traffic", "aria-label": words.traffic }, h("h2", {}, words.traffic, button(words.clear, () => traffic.clear(), "link")), h("div", { class: "lanes" }, ...lanes), list)));
      await traffic.start();
      const [first, second] = (await people()).map((person) => person.name);
      const [shop, club] = known.flatMap((tenant) => tenant.apps);
      await Promise.all([left.use(first, shop.appid), right.use(second, club.appid)]);
      document.body.dataset.ready = "true";
  }
  function header(service) {
      const words = texts();
      return h("header", {}, h("h1", {}, words.title), h("p", {}, words.about), h("nav", {}, h("a", { href: addressOf("concepts"), target: "_blank", rel: "noreferrer" }, words.docs), h("a", { href: `${service}/console/`, target: "_blank", rel: "noreferrer" }, words.console), button(words.other, switchLanguage, "language")));
  }
  start().catch((error) => document.body.append(h("p", { class: "error", role: "alert" }, String(error))));

})();
