"""The front page: what this is, and how to play the phone."""

from flask import Blueprint, Response, request

help_page = Blueprint("help_page", __name__)

_TEXT = """\
wxpass WeChat simulator, for development only (微信模拟器，仅供开发)

WeChat's side (微信服务端)
  GET  /sns/jscode2session                POST /wxa/business/getuserphonenumber
  GET  /cgi-bin/token                     GET  /wxa/checksession
  POST /cgi-bin/stable_token              GET  /wxa/resetusersessionkey

The phone's side, JSON (手机一侧)
  POST /_simulator/apps         {appid, secret, open_platform?, frozen?, ip_whitelist?}
  POST /_simulator/app-secret   {appid, secret}                      resets it
  POST /_simulator/people       {name, phone?, country_code?, nickname?, avatar_url?, gender?}
  POST /_simulator/login        {person, appid}                      wx.login -> code
  POST /_simulator/user-info    {person, appid, ...}                 rawData, encryptedData ...
  POST /_simulator/phone        {person, appid, ...}                 code, encryptedData, iv
         ... is any of: stale, watermark_appid, age, country_code_as_int
  POST /_simulator/session-key  {person, appid}                      mints a new session_key
  GET  /_simulator/session-key?person=&appid=

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
    """Explain the simulator in plain text."""
    return Response(_TEXT.replace("{host}", request.host), mimetype="text/plain")
