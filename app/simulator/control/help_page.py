"""The front page: a plain-text reference of the simulator's API."""

from flask import Blueprint, Response, request

help_page = Blueprint("help_page", __name__)

_TEXT = """\
wxpass WeChat simulator, for development only (微信模拟器，仅供开发)
Demo phone, with make run (演示手机，由 make run 提供)  http://{host}/demo/

WeChat's side (微信服务端)
  GET  /sns/jscode2session                POST /wxa/business/getuserphonenumber
  GET  /cgi-bin/token                     GET  /wxa/checksession
  POST /cgi-bin/stable_token              GET  /wxa/resetusersessionkey

The phone's side, JSON (手机一侧)
  POST /_simulator/apps         {appid, secret, open_platform?, frozen?, ip_whitelist?,
                                 push_url?, push_token?, encoding_aes_key?}
  POST /_simulator/app-secret   {appid, secret}                      resets it
  POST /_simulator/people       {name, phone?, country_code?, nickname?, avatar_url?, gender?}
  POST /_simulator/login        {person, appid}                      wx.login -> code
  POST /_simulator/user-info    {person, appid, ...}                 rawData, encryptedData ...
  POST /_simulator/phone        {person, appid, ...}                 code, encryptedData, iv
         ... is any of: stale, watermark_appid, age, country_code_as_int
  POST /_simulator/session-key  {person, appid}                      mints a new session_key
  GET  /_simulator/session-key?person=&appid=

The message push (消息推送): sent until answered with success, 3 times, 5 s each
  POST /_simulator/pushes          {appid, event?, fields?, ...}     any event or message
  POST /_simulator/revoke          {person, appid, revoke_info, plugin_id?, ...}
  POST /_simulator/cancel-account  {person, appid, ...}
  POST /_simulator/modify-profile  {person, appid, ...}
         ... is any of: url; mode, one of plain, compatible, safe; format, json or xml;
             patience, in seconds; faults, any of duplicate, wrong_signature, stale, foreign_appid

The world (环境)
  POST, GET, DELETE /_simulator/faults    {kind, path?, appid?, times?, seconds?, errcode?}
  POST /_simulator/clock        {advance}                            seconds
  POST /_simulator/settings     {session_key_policy?, escape_slashes?, sns_content_type?}
  GET  /_simulator/tokens?appid=
  GET, DELETE /_simulator/calls           what reached WeChat
  POST /_simulator/reset                  forgets everything but the apps
  GET  /_simulator/health

Try it (试一试)
  curl -d '{"appid":"wx0000000000000001","secret":"s"}' {host}/_simulator/apps
  curl -d '{"name":"alice","phone":"13800138000"}'      {host}/_simulator/people
  curl -d '{"person":"alice","appid":"wx0000000000000001"}' {host}/_simulator/login
"""


@help_page.get("/")
def index() -> Response:
    """Return the reference as plain text."""
    return Response(_TEXT.replace("{host}", request.host), mimetype="text/plain")
