/** All scenes, in the order in which a newcomer reads them. */

import { LOGINS } from "./logins";
import type { Scene } from "./scene";
import { SESSIONS } from "./sessions";
import { WECHAT } from "./wechat";

export const SCENES: Scene[] = [...LOGINS, ...SESSIONS, ...WECHAT];
