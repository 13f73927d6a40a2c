"""Numbers, instants and texts.

Source: DESIGN §4 "Numbers" and "Time"; docs/price-book.md, the table of meters and units.
"""

from datetime import datetime, timedelta, timezone

HOUR = 3_600_000
DAY = 24 * HOUR
EVER = 2**60
GIB = 2**30

# usage types of a VM, and which of its times each is
VM_TIMES = {1: "running", 2: "allocated"}
METERS = {3: "ip", 4: "traffic_sent", 5: "traffic_received", 6: "disk"}
COUNTED = (4, 5)
BYTES = {"GiB": 2**30, "TiB": 2**40, "GB": 10**9}
# what one unit of a meter is in CloudStack's own numbers, the default first
UNITS = {
    "cpu": {"vCPU": 1, "VM": None},
    "ram": {"GiB": 1024, "MiB": 1, "TiB": 1024 * 1024},
    "vm": {"each": None},
    "os": {"VM": None, "vCPU": 1},
    "disk": BYTES | {"each": None},
    "ip": {"each": None},
    "traffic_sent": BYTES,
    "traffic_received": BYTES,
}

# what a service or package is counted in
SERVICE_UNITS = {
    "VM": (None, None),
    "vCPU": ("cpunumber", 1),
    "GiB RAM": ("memory", 1024),
    "GiB disk": ("size", 2**30),
}


def millis(text):
    """An instant as milliseconds since 1970."""
    text = text.replace("Z", "+00:00")
    if text[-5] in "+-" and text[-3] != ":":
        text = text[:-2] + ":" + text[-2:]
    delta = datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return delta // timedelta(milliseconds=1)


def ratio(value):
    return f"{value.numerator}/{value.denominator}" if value.denominator != 1 else str(value.numerator)


def half_away(value):
    if value < 0:
        return -half_away(-value)
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)


def half_even(value):
    return round(value)  # of a Fraction, by the banker's rule


def text_of(coins, minor):
    """A number of the smallest coins as it is printed."""
    sign, coins = "-" if coins < 0 else "", abs(coins)
    return f"{sign}{coins // minor}" + (f".{coins % minor:0{len(str(minor)) - 1}d}" if minor > 1 else "")


def escaped(text, separator):
    return text.replace("\\", "\\\\").replace(separator, "\\" + separator)


def key_of(fields):
    return "|".join(escaped(field, "|") for field in fields)
