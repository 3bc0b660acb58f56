'use strict';

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
/** Return the transport of a uni-app that runs in WeChat, over `uni`. */
function uniTransport(api) {
    if (api === void 0) { api = uni; }
    return platformTransport(api);
}
/** Return the transport of a Taro app that runs in WeChat. Give it the module `@tarojs/taro`. */
function taroTransport(api) {
    return platformTransport(api);
}
/**
 * Return a transport that sends requests through `wx.cloud.callContainer`, so that the
 * mini-program needs no request domain. An aborted request goes on; its response is ignored.
 */
function cloudTransport(container, api) {
    if (api === void 0) { api = wx; }
    var transport = platformTransport(api);
    transport.send = function (request) {
        return start(function (callbacks) {
            var header = merged(request.header, { "X-WX-SERVICE": container.service });
            var path = request.url.replace(/^https?:\/\/[^/]+/i, "");
            var config = { env: container.env };
            return api.cloud.callContainer(merged(callbacks, request, { config: config, path: path, header: header }));
        });
    };
    return transport;
}
function platformTransport(api) {
    return {
        send: function (request) { return start(function (callbacks) { return api.request(merged(callbacks, request)); }); },
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
function start(call) {
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

/** The client: one mini-program at one service. */
var clients = {};
var newest = "";
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
    clients[appid] = client;
    newest = appid;
    return client;
}
/**
 * Return the client that `createClient` made for an appid, or the newest one. Throws an Error if
 * there is none. The native component finds its client here.
 */
function getClient(appid) {
    var client = clients[appid || newest];
    if (!client)
        throw new Error("call createClient first");
    return client;
}

exports.cloudTransport = cloudTransport;
exports.createClient = createClient;
exports.getClient = getClient;
exports.isWxpassError = isWxpassError;
exports.taroTransport = taroTransport;
exports.uniTransport = uniTransport;
exports.wxTransport = wxTransport;
