/** Sending requests: one attempt, and repetition where the server asks for it. */

import { Control, step, wait } from "./control";
import { newError, WxpassError } from "./errors";
import { Reply, replyOf } from "./responses";
import type { Transport, TransportRequest, TransportResponse } from "./transports/transport";

const MOST_REPETITIONS = 2;

/** Send a request once. Reject with a WxpassError for anything but a JSON reply. */
export function send(transport: Transport, request: TransportRequest, control: Control): Promise<Reply> {
  return step<TransportResponse>(control, (resolve, reject) => {
    const exchange = transport.send(request);
    const timer = setTimeout(() => {
      exchange.abort();
      reject(newError("timeout", "The request timed out.", "timeout"));
    }, request.timeout);
    const settled = () => clearTimeout(timer);
    exchange.response.then(settled, settled);
    exchange.response.then(resolve, reject);
    return () => {
      settled();
      exchange.abort();
    };
  }).then(replyOf);
}

/**
 * Run an attempt. After a 429 or 503 with `Retry-After`, wait and run it again, twice at most. The
 * error is passed on if the server asks for more than `longestWait` seconds.
 */
export async function repeating<T>(attempt: () => Promise<T>, longestWait: number, control: Control): Promise<T> {
  for (let repetitions = 0; ; repetitions++) {
    try {
      return await attempt();
    } catch (error) {
      const seconds = secondsToWait(error as WxpassError);
      if (seconds === null || seconds > longestWait || repetitions === MOST_REPETITIONS) throw error;
      // Phones that were refused together do not come back together.
      await wait(seconds * (1 + Math.random() / 5), control);
    }
  }
}

/** Return the seconds of `Retry-After` of an error that may be repeated, or null. */
function secondsToWait(error: WxpassError): number | null {
  const isBusy = error.status === 429 || error.status === 503;
  // A refused password must not be sent again without the person.
  return isBusy && error.code !== "too_many_tries" ? error.retryAfter : null;
}
