/** The small mini-program: what it does with `@wxpass/miniprogram`, without its looks. */

import { createClient, isWxpassError, wxTransport } from "@wxpass/miniprogram";
import type { Client, Login, SessionInfo, User } from "@wxpass/miniprogram";

import { serviceLanguage } from "./language";
import { Side, Wx } from "./wx";

export type Screen = "start" | "unbound" | "account" | "member" | "devices" | "kicked";

/** Where the mini-program of a phone is. */
export interface State {
  screen: Screen;
  busy: boolean;
  /** The dialog that asks for the phone number is open. */
  asks: boolean;
  user: User | null;
  sessions: SessionInfo[];
  message: string;
}

/** One mini-program on one phone, of one person. */
export class Program {
  readonly wx: Wx;
  readonly client: Client;
  /** Whether the phone has an old version of WeChat, with the old phone button. */
  isOld = false;
  /** The code of the error of the last action, or "". */
  failure = "";
  kicked = "";
  state: State = { screen: "start", busy: false, asks: false, user: null, sessions: [], message: "" };

  constructor(
    side: Side,
    person: string,
    appid: string,
    private changed: () => void,
  ) {
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
  get hasSession(): boolean {
    return Object.keys(localStorage).some((key) => {
      const { side, person, appid } = this.wx;
      return key.startsWith(`${side} ${person} wxpass `) && key.endsWith(appid) && !!localStorage[key].includes("token");
    });
  }

  /** Log in, as the mini-program does when it opens. */
  logIn(): Promise<void> {
    return this.act(async () => this.show(await this.client.login()));
  }

  /** Tap the phone button. WeChat asks the person for permission. */
  askForPhone(): void {
    this.change({ asks: true, message: "" });
  }

  /** Answer the dialog of the phone button. */
  answerPhone(allows: boolean): Promise<void> {
    this.change({ asks: false });
    return this.act(async () => {
      const event = allows ? await this.wx.tapPhone(this.isOld) : await this.wx.declinePhone();
      await this.client.onPhone(event);
    });
  }

  bindAccount(account: string, password: string): Promise<void> {
    return this.act(async () => void (await this.client.bindAccount(account, password)));
  }

  saveNickname(nickname: string, saved: string): Promise<void> {
    return this.act(async () => {
      const profile = await this.client.onProfile({ detail: { value: { nickname } } });
      const { user } = this.state;
      if (user) this.change({ user: { ...user, ...profile }, message: saved });
    });
  }

  listDevices(): Promise<void> {
    return this.act(async () => {
      const { items } = await this.client.sessions();
      this.change({ screen: "devices", sessions: items });
    });
  }

  endDevice(id: string): Promise<void> {
    return this.act(async () => {
      await this.client.endSession(id);
      const { items } = await this.client.sessions();
      this.change({ sessions: items });
    });
  }

  logOut(): Promise<void> {
    return this.act(async () => {
      await this.client.logout();
      this.change({ screen: "start", user: null });
    });
  }

  /** Run an action. Its error is shown to the person. */
  async act(action: () => Promise<void>): Promise<void> {
    this.failure = "";
    this.change({ busy: true, message: "" });
    try {
      await action();
    } catch (error) {
      this.failure = isWxpassError(error) ? error.code : "failed";
      if (this.state.screen !== "kicked") this.change({ message: (error as Error).message });
    } finally {
      this.change({ busy: false });
    }
  }

  change(state: Partial<State>): void {
    this.state = { ...this.state, ...state };
    this.changed();
  }

  private show({ bound, user }: Login): void {
    this.kicked = "";
    this.change({ screen: bound ? "member" : "unbound", user });
  }
}
