"""Read and validate the settings of the website at `/` and `/docs`."""

from collections.abc import Mapping

from config.readers import read_text, refuse, split_url


def read_website(environ: Mapping[str, str]) -> bool:
    """Read WXPASS_WEBSITE: whether `/` and `/docs` are served. The default is on."""
    text = read_text(environ, "WXPASS_WEBSITE") or "on"
    if text not in ("on", "off"):
        refuse("WXPASS_WEBSITE", f"is {text!r}; it must be on or off", "只能是 on 或 off")
    return text == "on"


def read_guide_url(environ: Mapping[str, str]) -> str | None:
    """Read WXPASS_GUIDE_URL, the documentation to which the pages link in production, or None."""
    return _read_url(environ, "WXPASS_GUIDE_URL", "https://docs.example.com/wxpass/")


def read_demo_phone_url(environ: Mapping[str, str]) -> str | None:
    """Read DEMO_PHONE_URL, the address of the demo phone that `make run` serves, or None."""
    url = _read_url(environ, "DEMO_PHONE_URL", "http://127.0.0.1:8001/demo/")
    if url and read_text(environ, "WXPASS_ENV") == "production":
        refuse("DEMO_PHONE_URL", "must not be set in production", "生产环境不能设置")
    return url


def _read_url(environ: Mapping[str, str], name: str, example: str) -> str | None:
    """Read an address for links, or None if it is unset."""
    url = read_text(environ, name)
    if not url:
        return None
    parts = split_url(url)
    if not parts or parts.scheme not in ("http", "https") or not parts.hostname:
        refuse(name, f"must look like {example}", f"应形如 {example}")
    return url
