/** One line about an answer. */

import { texts } from "./language";
import type { Exchange } from "./traffic";

/** Return what an answer says, such as `200 bound`. */
export function summaryOf(exchange: Exchange): string {
  const { status, answer, target } = exchange;
  const words = texts().answers;
  if (status === null) return texts().unanswered;
  if (exchange.source === "phone" && target === "wechat") return phoneAnswer(answer);
  const failure = answer?.errcode ? `errcode ${answer.errcode}` : status >= 400 && answer?.code;
  if (failure) return `${status} ${failure}`;
  return `${status} ${contentOf(exchange) || words.ok}`;
}

/** Return the class of an answer: `good` or `bad`. */
export function toneOf({ status, answer }: Exchange): "good" | "bad" {
  return status === null || status >= 400 || answer?.errcode ? "bad" : "good";
}

function phoneAnswer(answer: any): string {
  const words = texts().answers;
  if (answer.errmsg) return words.declined;
  if (answer.code) return `${words.code} ${answer.code}`;
  return answer.encryptedData ? words.data : words.ok;
}

function contentOf({ kind, answer }: Exchange): string {
  const words = texts().answers;
  if (answer && typeof answer.bound === "boolean") {
    const name = answer.user && (answer.user.nickname || answer.user.account || answer.user.phone);
    return answer.bound ? [words.bound, name].filter(Boolean).join(" · ") : words.unbound;
  }
  if (kind === "jscode2session") return words.identity;
  if (kind === "stable_token") return words.token;
  if (kind === "getuserphonenumber") return words.number;
  if (kind === "refresh") return words.tokens;
  if (kind === "me") return answer?.nickname || answer?.account || answer?.phone || words.user;
  if (kind === "audit") return answer?.items?.[0]?.action || "";
  if (Array.isArray(answer)) return `${answer.length} ${answer.length === 1 ? words.one : words.many}`;
  return "";
}
