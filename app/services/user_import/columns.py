"""The columns of a file of users: headers that an import accepts, and columns of an export."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from app.errors import UserColumnsWrong

COLUMNS = ("account", "phone", "nickname", "password")
EXPORTED_COLUMNS = ("account", "phone", "nickname", "status", "created_at", "last_login_at")
# Limits of what is compared and shown: characters of a header, and the number of ignored headers.
LONGEST_HEADER, MOST_IGNORED = 64, 50

# Normalized to letters and digits: `Phone number*` is `phonenumber`.
HEADERS = {
    "account": """account accountname loginaccount loginname login username
        账号 帐号 账号名 帐号名 账户 帐户 账户名 登录账号 登录帐号 登录名 用户名 用户账号
        帳號 賬號 帳戶 登入帳號""",
    "phone": """phone phoneno phonenumber mobile mobileno mobilenumber mobilephone
        mobilephonenumber cellphone cellphonenumber cell tel telephone telephonenumber
        手机号 手机号码 手机 电话 电话号码 联系电话 移动电话
        手機號 手機號碼 手機 電話 電話號碼 聯絡電話 行動電話""",
    "nickname": "nickname nick 昵称 呢称 暱稱",
    "password": "password passwd pwd 密码 登录密码 初始密码 口令 密碼",
}
COLUMN_OF = {header: column for column, headers in HEADERS.items() for header in headers.split()}
# A hint after a header, such as (required) or （必填）.
HINT = re.compile(r"[(\[【].*[)\]】]$")


@dataclass(frozen=True, slots=True)
class Header:
    """The header row: the column of each cell, and the names of ignored columns.

    A column is "" for an empty header, and None for an ignored one.
    """

    columns: Sequence[str | None]
    ignored: tuple[str, ...]

    @property
    def present(self) -> tuple[str, ...]:
        """Return the recognized columns in the order of the file."""
        return tuple(filter(None, self.columns))

    @property
    def is_of_export(self) -> bool:
        """Return whether the file has all columns of an export."""
        return {*EXPORTED_COLUMNS} <= {*self.present, *self.ignored}


def read_header(cells: Sequence[str]) -> Header:
    """Return the header of a file.

    Raises UserColumnsWrong if there is neither an account nor a phone column, or a column occurs
    twice.
    """
    names = [cell.strip()[:LONGEST_HEADER] for cell in cells]
    columns = [find_column(name) if name else "" for name in names]
    named = zip(names, columns, strict=True)
    ignored = tuple(name for name, column in named if column is None)
    header = Header(columns, ignored[:MOST_IGNORED])
    twice = sorted({one for one in header.present if columns.count(one) > 1})
    if twice or not {"account", "phone"} & {*header.present}:
        raise _refusal(header.ignored, twice)
    return header


def find_column(name: str) -> str | None:
    """Return the column that a header names, or None for a header that an import ignores."""
    return COLUMN_OF.get(_plain(name))


def _plain(name: str) -> str:
    """Return the letters and digits of a header in lower case, without its hint."""
    text = HINT.sub("", unicodedata.normalize("NFKC", name).strip())
    return "".join(char for char in text if char.isalnum()).casefold()


def _refusal(ignored: Sequence[str], twice: Sequence[str]) -> UserColumnsWrong:
    errors = {"columns": {"unknown": list(ignored), "twice": list(twice)}}
    # The names are not logged. In a file without a header they are the first user's data.
    return UserColumnsWrong("first row", errors=errors, about=shown_names(twice or ignored))


def shown_names(names: Sequence[str]) -> str:
    """Return names of columns as a short, printable text."""
    text = ", ".join(names)
    return "".join(char for char in text[:200] if char.isprintable())
