"""How much of its period each price's time is: by the second, by days or started hours, with
the month profiles and fees that are charged once.

Source: docs/price-book.md, `month`, `proration` (and the table of what counts) and `per = "once"`;
DESIGN §4 "Time", month price.
"""

from datetime import datetime, timedelta, timezone
from fractions import Fraction

from basics import DAY, HOUR

# hours that a month's price is for, and whether no more are charged
PROFILES = {"h730": (730 * HOUR, False), "d30": (30 * DAY, True), "cap672": (672 * HOUR, True)}


def count(pieces, book, period):
    """Sets `share`, the time in the price's own period, of each piece; fees of others drop out."""
    pieces = once(pieces, period)
    for piece in pieces:
        if not piece.lasts:
            piece.share = Fraction(1)
        else:
            piece.share = Fraction(piece.used, length(piece, book))
            note(piece, book)
    by_days(pieces, book, period[1])
    cap(pieces, book)
    return pieces


def note(piece, book):
    """For the test to count."""
    if piece.reason is None and piece.price.get("per") == "month" and book.rows.get("month") in PROFILES:
        piece.touched.add("month of " + book.rows["month"])
    if piece.reason is None and piece.price.get("kind") == "flat":
        piece.touched.add("flat price")


def length(piece, book):
    """The time that a price is for."""
    first, after = piece.month
    month, _ = PROFILES.get(book.rows.get("month"), (after - first, False))
    return {"hour": HOUR, "day": DAY, "month": month}[piece.price["per"]]


def once(pieces, period):
    """Whole, in the month of the resource's creation, at the price of then: its first piece."""
    first = {}
    for piece in pieces:
        if piece.price and piece.price.get("per") == "once" and not piece.reason:
            thing = piece.priced_thing
            if thing not in first or piece.begin < first[thing].begin:
                first[thing] = piece

    def stays(piece):
        if not piece.price or piece.price.get("per") != "once" or piece.reason:
            return True
        here = piece.born is not None and period[0] <= piece.born < period[1]
        if here and first[piece.priced_thing] is piece:
            piece.touched.add("fee charged once")
            return True
        return False

    return [piece for piece in pieces if stays(piece)]


def proration(piece, book):
    if not piece.lasts:
        return None
    return piece.price.get("proration", book.rows.get("proration", "second"))


def day_of(at, book):
    return datetime.fromtimestamp(at // 1000, timezone.utc).astimezone(book.zone).date()


def counted_units(piece, how, book, period_end):
    """The days or hours that count for a piece, were it alone."""
    if how == "started-hour":
        return list(range(piece.begin // HOUR, -(-piece.end // HOUR)))
    first, last = day_of(piece.begin, book), day_of(piece.end - 1, book)
    if how == "day":
        last = day_of(piece.end, book) - timedelta(days=1)
    elif how == "day-incl" and piece.end < min(piece.month[1], period_end):
        # the day in which the end lies, be it its first instant
        last = day_of(piece.end, book)
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def by_days(pieces, book, period_end):
    """A day that belongs to two uses of a resource, or pieces of one, is the later one's."""
    things = {}
    for piece in pieces:
        how = proration(piece, book)
        if how not in (None, "second"):
            things.setdefault((piece.priced_thing, piece.month, how), []).append(piece)
    for (_, month, how), group in things.items():
        owner = {}
        for piece in sorted(group, key=lambda piece: (piece.span, piece.begin)):
            for unit in counted_units(piece, how, book, period_end):
                owner[unit] = piece
        for piece in group:
            mine = [unit for unit, one in owner.items() if one is piece]
            if how == "started-hour":
                # where a month begins at half past, either has its part of the hour
                hours = sum(min((hour + 1) * HOUR, month[1]) - max(hour * HOUR, month[0]) for hour in mine)
                piece.share = Fraction(hours, length(piece, book))
            else:
                piece.share = len(mine) * day_share(piece, month, book)
            piece.touched.add(how)


def day_share(piece, month, book):
    """What one day is of the price's period."""
    per, profile = piece.price["per"], book.rows.get("month", "calendar")
    if per == "month" and profile == "calendar":
        return Fraction(1, (day_of(month[1], book) - day_of(month[0], book)).days)
    return Fraction(DAY, length(piece, book))


def cap(pieces, book):
    """No more of a month is charged than the profile has, in order of time."""
    most, capped = PROFILES.get(book.rows.get("month"), (0, False))
    if not capped:
        return
    had = {}
    for piece in sorted(pieces, key=lambda piece: piece.begin):
        if piece.reason or piece.price.get("per") != "month":
            continue
        thing = (piece.priced_thing, piece.month)
        before = had.get(thing, Fraction(0))
        share = min(piece.share, 1 - before)
        if share < piece.share:
            piece.touched.add("month capped")
        had[thing], piece.share = before + share, share
