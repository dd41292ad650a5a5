"""Plausible people for the demo: the same seed gives the same names and phones.

Surnames by frequency are from the Chinese-names corpus named in NOTICE; given names are common
ones put together here; the phones are made up, and the demo's SMS backend only prints.
"""

import csv
import random
from functools import cache
from pathlib import Path

DATA = Path(__file__).parent / "data"
_ELDER = "秀英 桂兰 玉兰 淑珍 建国 德明 桂芳 凤英 国强 玉珍 春生 福生 志远 庆云 淑华 长贵 金凤 文斌"
_ADULT = (
    "建华 丽娟 志强 海燕 晓东 红梅 立军 雪梅 永强 春燕 卫东 晓红 国栋 艳丽 文静 海涛 小莉 "
    "俊杰 秀丽 明辉 爱华 振宇 丽萍 学文 金龙 美玲 少华 慧敏 成林 玉洁 家明 素芬"
)
_YOUNG = "子涵 雨桐 浩然 欣怡 宇轩 梓萱 思远 佳怡 一凡 诗涵 博文 静怡 天宇 晨曦 嘉豪 若曦 泽宇 可欣"
_GIVEN = {"elder": _ELDER.split(), "adult": _ADULT.split(), "young": _YOUNG.split()}


@cache
def _surnames() -> tuple[list[str], list[float]]:
    with (DATA / "cn_surnames.csv").open(encoding="utf-8") as file:
        rows = [(row["NameB"], float(row["TF"])) for row in csv.DictReader(file)]
    rows = rows[:120]
    return [name for name, _ in rows], [weight for _, weight in rows]


def person_name(chance: random.Random, *, age: str) -> str:
    """Draw a name; `age` is "elder", "adult" or "young"."""
    names, weights = _surnames()
    surname: str = chance.choices(names, weights)[0]
    return surname + chance.choice(_GIVEN[age])


def phone(number: int) -> str:
    """Return the demo's n-th phone, E.164: +86 130 5000 0000 and on."""
    return f"+86130{50_000_000 + number}"
