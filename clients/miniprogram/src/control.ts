/** Cancellation and waiting. Mini-programs have no AbortController. */

import { newError } from "./errors";

/** A promise whose request can be stopped. */
export interface Call<T> extends Promise<T> {
  /** Stop the request. The promise rejects with the reason `aborted`, unless it is settled. */
  abort(): void;
}

/** Whether a call was aborted, and how to stop its current step. */
export interface Control {
  aborted: boolean;
  stop: () => void;
}

const nothing = () => undefined;

/** Return the control of a call that is never aborted. */
export function newControl(): Control {
  return { aborted: false, stop: nothing };
}

function aborted() {
  return newError("aborted", "The request was aborted.", "aborted");
}

/** Run a function, and return its promise with `abort`. */
export function cancellable<T>(run: (control: Control) => Promise<T>): Call<T> {
  const control = newControl();
  let rejectCall: (error: unknown) => void = nothing;
  const call = new Promise<T>((resolve, reject) => {
    rejectCall = reject;
    run(control).then(resolve, reject);
  }) as Call<T>;
  call.abort = () => {
    const { stop } = control;
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
export function step<T>(
  control: Control,
  start: (resolve: (value: T) => void, reject: (error: unknown) => void) => () => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    if (control.aborted) return reject(aborted());
    const stop = start(
      (value) => {
        control.stop = nothing;
        resolve(value);
      },
      (error) => {
        control.stop = nothing;
        reject(error);
      },
    );
    control.stop = stop;
  });
}

/** Resolve after a number of seconds. */
export function wait(seconds: number, control: Control): Promise<void> {
  return step<void>(control, (resolve) => {
    const timer = setTimeout(resolve, seconds * 1000);
    return () => clearTimeout(timer);
  });
}
