"""Encodings of CSV files: UTF-8, UTF-16 and GB18030 are read, Big5 is detected and refused."""

import random

import pytest

from app.errors import UserFileBig5, UserFileUnreadable
from app.services.user_import.encodings import decoded
from app.services.user_import.files import read_user_file
from tests.fixtures.user_files import csv_of

SIMPLIFIED_SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩邓冯曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕"
    "丁任卢姚沈钟姜崔谭陆范汪廖石金韦贾夏付方邹熊白孟秦邱侯江尹薛闫段雷龙黎史陶贺毛郝顾龚邵万覃武钱戴"
)
SIMPLIFIED_NAMES = (
    *(
        "伟",
        "芳",
        "娜",
        "秀英",
        "敏",
        "静",
        "丽",
        "强",
        "磊",
        "军",
        "洋",
        "勇",
        "艳",
        "杰",
        "娟",
        "涛",
    ),
    *("明", "超", "兰", "霞", "平", "刚", "桂英", "文辉", "建华", "建国", "志强", "红梅", "玉兰"),
    *(
        "春燕",
        "婷婷",
        "雪梅",
        "梓涵",
        "子轩",
        "浩宇",
        "欣怡",
        "诗雨",
        "泽博",
        "思源",
        "一诺",
        "佳琪",
    ),
    *(
        "俊熙",
        "语桐",
        "若曦",
        "晨曦",
        "梦瑶",
        "嘉懿",
        "煜城",
        "天佑",
        "皓轩",
        "鑫",
        "森",
        "淼",
        "焱",
    ),
    *(
        "晓明",
        "小花",
        "海燕",
        "长江",
        "淑珍",
        "凤霞",
        "宁静",
        "安康",
        "福寿",
        "喜乐",
        "鹏飞",
        "翔宇",
    ),
    *("宏斌", "凯旋", "睿", "毅", "琛", "琳", "瑜", "璇", "骁", "钰"),
)
# Characters of names that GB2312 lacks and GB18030 contains.
RARE_NAMES = ("玥", "珺", "瑄", "璟", "祎", "赟", "堃", "喆", "昇", "翀", "頔", "翾")
TRADITIONAL_SURNAMES = (
    "陳林黃張李王吳劉蔡楊許鄭謝洪郭邱曾廖賴徐周葉蘇莊呂江何蕭羅高潘簡朱鍾游彭詹胡施沈余盧梁趙顏柯"
)
TRADITIONAL_NAMES = (
    *(
        "怡君",
        "雅婷",
        "家豪",
        "志明",
        "建宏",
        "俊傑",
        "淑芬",
        "美玲",
        "雅惠",
        "承翰",
        "冠宇",
        "宗翰",
    ),
    *(
        "家瑋",
        "佳穎",
        "詩涵",
        "欣怡",
        "婉婷",
        "郁婷",
        "宜君",
        "佩珊",
        "淑惠",
        "麗華",
        "秀英",
        "美惠",
    ),
    *(
        "淑貞",
        "金龍",
        "文雄",
        "俊賢",
        "彥廷",
        "柏翰",
        "品妍",
        "子晴",
        "詠晴",
        "宥廷",
        "承恩",
        "宇翔",
    ),
    *(
        "睿恩",
        "思妤",
        "雨潔",
        "沛恩",
        "昱翔",
        "政憲",
        "國華",
        "志強",
        "榮輝",
        "添丁",
        "阿土",
        "永福",
    ),
    *(
        "正雄",
        "振宇",
        "曉雯",
        "靜宜",
        "玉蘭",
        "寶珠",
        "鳳嬌",
        "慧敏",
        "瓊瑤",
        "繼光",
        "學良",
        "詠琪",
    ),
    *("德華", "學友", "富城", "潤發", "朝偉", "曼玉", "家輝"),
)
SIMPLIFIED_TEXT = (
    "中华人民共和国宪法规定，公民的合法的私有财产不受侵犯。"
    "国家依照法律规定保护公民的私有财产权和继承权。"
)
TRADITIONAL_TEXT = (
    "人生而自由，在尊嚴和權利上一律平等。他們賦有理性和良心，並應以兄弟關係的精神相對待。"
)
HEADER = "account,nickname\n"


def names_of(seed: int, count: int, *, traditional: bool = False) -> str:
    """Return the lines of a CSV file with `count` random common names."""
    random_ = random.Random(seed)
    surnames = TRADITIONAL_SURNAMES if traditional else SIMPLIFIED_SURNAMES
    names = TRADITIONAL_NAMES if traditional else SIMPLIFIED_NAMES
    lines = [f"u{n},{random_.choice(surnames)}{random_.choice(names)}\n" for n in range(count)]
    return "".join(lines)


@pytest.mark.parametrize("count", [3, 10, 100, 3000])
def test_csv_file_with_simplified_chinese_names_in_gb18030_is_read(count: int) -> None:
    for seed in range(1 if count > 100 else 100):
        text = HEADER + names_of(seed, count)
        assert decoded(text.encode("gb18030")) == text


@pytest.mark.parametrize("count", [5, 10, 100, 3000])
def test_csv_file_with_traditional_chinese_names_in_big5_is_refused(count: int) -> None:
    for seed in range(1 if count > 100 else 100):
        text = HEADER + names_of(seed, count, traditional=True)
        with pytest.raises(UserFileBig5):
            decoded(text.encode("cp950"))


def test_every_common_name_is_read_in_a_csv_file_of_one_row_in_gb18030() -> None:
    """The header has a Chinese character, because some names alone are valid UTF-8."""
    for surname in SIMPLIFIED_SURNAMES:
        for name in SIMPLIFIED_NAMES:
            text = f"account,昵称\nu1,{surname}{name}\n"
            assert decoded(text.encode("gb18030")) == text


@pytest.mark.parametrize("name", RARE_NAMES)
def test_name_with_a_rare_character_in_gb18030_is_read(name: str) -> None:
    for surname in SIMPLIFIED_SURNAMES:
        text = f"{HEADER}u1,{surname}{name}\nu2,李{name}\n"
        assert decoded(text.encode("gb18030")) == text


def test_csv_file_with_traditional_chinese_names_in_gb18030_is_read() -> None:
    for seed in range(100):
        text = HEADER + names_of(seed, 5, traditional=True)
        assert decoded(text.encode("gb18030")) == text


@pytest.mark.parametrize(
    "name", ["雨の恋", "ω小花ω", "さくら樱花", "★小明★", "─━幸福━─", "小花🌸", "彡晨曦彡"]
)
def test_names_with_symbols_or_kana_in_gb18030_are_read(name: str) -> None:
    text = f"账号,手机号,昵称\nu1,13800138001,{name}\nu2,13800138002,王小明\n"
    assert decoded(text.encode("gb18030")) == text


@pytest.mark.parametrize("text", [SIMPLIFIED_TEXT, TRADITIONAL_TEXT, SIMPLIFIED_TEXT[:9]])
def test_longer_chinese_text_in_gb18030_is_read(text: str) -> None:
    assert decoded(text.encode("gb18030")) == text


@pytest.mark.parametrize(
    "text",
    [
        TRADITIONAL_TEXT,
        "帳號,手機號碼,暱稱\nu1,0912345678,陳怡君\n",
        "姓名,電話\n林志玲,0912345678\n",
        "account,nickname\nu1,王小明\n",
        "account,nickname\nu1,張學友\nu2,劉德華\n",
        "帳號,手機\nu1,0912345678\n",
        "電話\n0912345678\n",
        "*電話;email\n+886912345678;a@b.example\n",
        "\r\n手機,account\n0912345678,u1\n",
    ],
)
def test_small_csv_file_with_traditional_chinese_in_big5_is_refused(text: str) -> None:
    with pytest.raises(UserFileBig5):
        read_user_file(text.encode("cp950"))
    with pytest.raises(UserFileBig5):
        read_user_file(text.encode("big5hkscs"))


def test_traditional_chinese_column_names_in_utf8_are_recognised() -> None:
    content = "帳號,手機號碼,暱稱\nu1,+886912345678,陳怡君\n".encode()
    (row,) = read_user_file(content).people
    assert (row.account, row.phone, row.nickname) == ("u1", "+886912345678", "陳怡君")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "gb18030"])
@pytest.mark.parametrize("marks", [1, 2, 3])
def test_repeated_byte_order_marks_of_a_csv_file_are_ignored(encoding: str, marks: int) -> None:
    text = "\ufeff" * marks + "账号,昵称\nalice,小花\n"
    (row,) = read_user_file(text.encode(encoding)).people
    assert (row.account, row.nickname) == ("alice", "小花")


@pytest.mark.parametrize(
    "content",
    [
        csv_of(("account", "nickname"), ("a", "小花小花小花"), encoding="utf-8")[:-3],
        "account,nickname\na,小花".encode() + b"\xff,\n",
        "account,nickname\na,小花".encode("utf-16")[:-1],
        "account,nickname\na,b\n".encode("utf-16-le"),
        "account,nickname\na,b\n".encode("utf-16-be"),
        "账号,昵称\na,小花\n".encode("utf-16-le"),
    ],
)
def test_csv_file_with_damaged_utf8_or_utf16_is_refused(content: bytes) -> None:
    with pytest.raises(UserFileUnreadable):
        read_user_file(content)
