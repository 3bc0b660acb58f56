import json
from tests.cast import *

def test_probe(client, alice, bob, rows, app):
    r = client.send("GET","/openapi.json")
    print(r.status_code); print(json.dumps(r.json, indent=1, ensure_ascii=False))

def test_raw(client, alice):
    P="/v1/apps/wxaaaa000000000001/login"
    def go(name, path=P, method="POST", **kw):
        r = client.send(method, path, **kw)
        print(name, "->", r.status_code, r.content_type, (r.json or {}).get("code") if r.is_json or "problem" in (r.content_type or "") else r.text[:100], (r.json or {}).get("errors") if "json" in (r.content_type or "") else None, {k:v for k,v in r.headers.items() if k in("Allow","Location","Retry-After")})
    J={"content_type":"application/json"}
    go("empty", data=b"", **J)
    go("nobody")
    go("null", data=b"null", **J)
    go("list", data=b"[]", **J)
    go("list1", data=b'[{"code":"a"}]', **J)
    go("str", data=b'"x"', **J)
    go("num", data=b'1', **J)
    go("trunc", data=b'{"code":', **J)
    go("utf8", data=b'{"code":"\xff\xfe"}', **J)
    go("utf16", data='{"code":"abc"}'.encode("utf-16"), **J)
    go("bom", data=b'\xef\xbb\xbf{"code":"abc"}', **J)
    go("latin", data='{"code":"é"}'.encode("latin1"), content_type="application/json; charset=latin1")
    go("deep", data=b'['*30000, **J)
    go("deepobj", data=b'{"code":'+b'['*5000+b']'*5000+b'}', **J)
    go("deepobj2", data=b'{"code":'+b'['*30000+b']'*30000+b'}', **J)
    go("huge", data=b'{"code":'+b'9'*5000+b'}', **J)
    go("huge60k", data=b'{"code":'+b'9'*60000+b'}', **J)
    go("nan", data=b'{"code":NaN}', **J)
    go("inf", data=b'{"code":Infinity}', **J)
    go("1e999", data=b'{"code":1e999}', **J)
    go("dup", data=b'{"code":"a","code":"b"}', **J)
    go("surr", data=b'{"code":"\\ud800"}', **J)
    go("surrkey", data=b'{"code":"a","\\ud800":1}', **J)
    go("nulkey", data=b'{"code":"a","\\u0000":1}', **J)
    go("nul", data=b'{"code":"a\\u0000"}', **J)
    go("rawnul", data=b'{"code":"a\x00"}', **J)
    go("extra", data=b'{"code":"a","x":1}', **J)
    go("form", data=b'code=1', content_type="application/x-www-form-urlencoded")
    go("multi", data={"code":"1"}, content_type="multipart/form-data")
    go("multibad", data=b"xx", content_type="multipart/form-data")
    go("xml", data=b'<a/>', content_type="text/xml")
    go("text", data=b'{"code":"a"}', content_type="text/plain")
    go("jsonp", data=b'{"code":"a"}', content_type="application/vnd.api+json")
    go("noct", data=b'{"code":"a"}', content_type="")
    go("big", data=b'{"code":"'+b"a"*70000+b'"}', **J)
    go("chunk", data=b'{"code":"'+b"a"*70000+b'"}', **J, headers={"Transfer-Encoding":"chunked"}, environ_overrides={"wsgi.input_terminated":True})
    go("badlen", data=b'{"code":"a"}', **J, headers={"Content-Length":"abc"})
    go("neglen", data=b'{"code":"a"}', **J, headers={"Content-Length":"-5"})
    for p in ["/v1/apps/%00/login","/v1/apps/"+"a"*5000+"/login","/v1/apps/%ff/login","/v1/apps/..%2f/login","/v1/apps//login","/v1/apps/wx%20/login","/v1/apps/%F0%9F%98%80/login", "/nothing", "/v1/apps/wxaaaa000000000001/login/","//v1/me", "/v1/apps/wxaaaa000000000001/nothing", "/%00", "/v1/apps/zzz/nothing"]:
        go(p[:40], path=p, json={"code":"a"})
    go("get", method="GET"); go("put", method="PUT", json={}); go("BREW", method="BREW"); go("HEAD", method="HEAD"); go("OPTIONS", method="OPTIONS"); go("TRACE", method="TRACE")
    for h in ["Bearer","Bearer ","bearer x","Basic abc","x"*10000,"Bearer "+"x"*10000,"Bearer \u00e9","Bearer a b","BEARER\tabc", "Bearer  wxp_x", "Token x"]:
        go("auth "+h[:20], path="/v1/me", method="GET", headers={"Authorization":h})
    for b in [None, b"", b"{}", b"null", b"[]", b'{"a":1}', b"x"]:
        t = client.bind(alice)["token"]
        r = client.send("POST","/v1/apps/wxaaaa000000000001/unbind", t, data=b, content_type="application/json" if b is not None else None); print("unbind", b, r.status_code, r.text[:150])
        t = client.bind(alice)["token"]
        r = client.send("POST","/v1/apps/wxaaaa000000000001/logout", t, data=b, content_type="application/json" if b is not None else None); print("logout", b, r.status_code, r.text[:150])
    t = client.bind(alice)["token"]
    for b in [None, b"", b"{}", b"null", b"[]", b'{"gender":true}', b'{"gender":1.0}', b'{"gender":"1"}', b'{"gender":1e999}', b'{"gender":'+b'9'*5000+b'}', b'{"nickname":null}', b'{"avatar_url":"https://x/\\ud800"}', b'{"avatar_url":"http://x.com/a"}', b'{"avatar_url":"https://user:p@x.com/a"}', b'{"avatar_url":"javascript:alert(1)"}', b'{"avatar_url":"https://[::1/a"}', b'{"nickname":"   "}', '{"nickname":"\u202eabc"}'.encode(), '{"nickname":"\u0085\u200b"}'.encode(), b'{"avatar_url":"https://example.com/%s"}' % (b"a"*40000)]:
        go("patch %r"%(b and b[:60]), path="/v1/me", method="PATCH", token=t, data=b, content_type="application/json" if b is not None else None)
    r = client.send("GET","/v1/nothing", headers={"Accept-Language":"zh-CN"}); print(r.json)
    for al in ["zh-CN","zh-TW,en;q=0.5","en","fr","*","zh-Hans-CN", "", ";;;,q=zzz", "zh;q=0"]:
        print(al, client.send("GET","/v1/nothing", headers={"Accept-Language":al}).json["detail"][:20])
    for rid in ["good-id-123","bad id","a","x"*65,"inj\u00e9ction","<script>alert</script>"]:
        print(rid, client.send("GET","/healthz", headers={"X-Request-Id":rid}).headers["X-Request-Id"])
