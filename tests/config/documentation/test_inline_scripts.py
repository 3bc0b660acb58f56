"""The Content-Security-Policy of the documentation site."""

from pathlib import Path

import pytest

from config.documentation.inline_scripts import META, add_policies, policy_of

# echo -n 'alert(1)' | openssl dgst -sha256 -binary | base64
ALERT = "'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI='"


def test_policy_allows_inline_scripts_by_their_hashes_only() -> None:
    page = '<script>alert(1)</script><script src="a.js"></script><style>alert(1)</style>'
    policy = policy_of(page)
    assert f"script-src 'self' {ALERT};" in policy
    assert f"style-src 'self' {ALERT};" in policy
    assert "unsafe" not in policy


def test_policy_does_not_allow_data_as_script() -> None:
    page = '<script type="application/json">alert(1)</script>'
    assert "script-src 'self';" in policy_of(page)


def test_each_page_gets_its_policy_before_everything_else(tmp_path: Path) -> None:
    page = tmp_path / "a" / "index.html"
    page.parent.mkdir()
    page.write_text('<head>\n<meta charset="utf-8">\n<script>alert(1)</script></head>')
    add_policies(tmp_path)
    text = page.read_text()
    assert text.index("Content-Security-Policy") < text.index("<script>")
    policy = policy_of(text)
    assert META.format(policy) in text
    assert ALERT in policy


def test_page_without_a_place_for_the_policy_is_refused(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<html></html>")
    with pytest.raises(ValueError, match="index"):
        add_policies(tmp_path)
