"""Read and validate the settings of the website at `/` and `/docs`."""

from collections.abc import Mapping

from config.readers import read_text, refuse, split_url


def read_website(environ: Mapping[str, str]) -> bool:
    """Read WXPASS_WEBSITE: whether `/` and `/docs` are served. The default is on."""
    text = read_text(environ, "WXPASS_WEBSITE") or "on"
    if text not in ("on", "off"):
        refuse("WXPASS_WEBSITE", f"is {text!r}; it must be on or off", "只能是 on 或 off")
    return text == "on"


def read_demo_phone_url(environ: Mapping[str, str]) -> str | None:
    """Read DEMO_PHONE_URL, the address of the demo phone that `make run` serves, or None."""
    url = read_text(environ, "DEMO_PHONE_URL")
    if not url:
        return None
    if read_text(environ, "WXPASS_ENV") == "production":
        refuse("DEMO_PHONE_URL", "must not be set in production", "生产环境不能设置")
    parts = split_url(url)
    if not parts or parts.scheme not in ("http", "https") or not parts.hostname:
        refuse(
            "DEMO_PHONE_URL",
            "must look like http://127.0.0.1:8001/demo/",
            "应形如 http://127.0.0.1:8001/demo/",
        )
    return url
