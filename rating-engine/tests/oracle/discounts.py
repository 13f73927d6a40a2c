"""Discounts: percentages on each piece, then fixed amounts a month.

Source: DESIGN §4 "Discounts"; docs/price-book.md `[[discount]]`.
"""

from fractions import Fraction

from basics import millis


def percentages(pieces, book):
    for piece in pieces:
        kept = book.kept(piece.chain)
        piece.cost *= kept
        if kept != 1:
            piece.touched.add("percent discount")


def fixed(pieces, book, period):
    """Once per scope and month, each spread over what it covers by what is left of its cost."""
    months = sorted({piece.month for piece in pieces})
    for row in sorted(book.rows["discount"], key=lambda row: row["id"]):
        if "amount" not in row:
            continue
        for month in months:
            covered = [piece for piece in pieces if piece.month == month and row in piece.chain]
            total = sum(piece.cost for piece in covered)
            if total == 0:
                continue
            amount = Fraction(row["amount"]) * share(row, covered, month, period)
            for piece in covered:
                piece.touched.add("fixed discount" if amount < total else "fixed discount of all that was left")
                piece.cost *= max(Fraction(0), 1 - amount / total)


def share(row, covered, month, period):
    """How much of the month's amount counts."""
    begin, end = max(month[0], period[0]), min(month[1], period[1])
    if not row.get("prorate", True):
        return Fraction(end - begin, month[1] - month[0])
    if "from" in row:
        begin = max(begin, millis(row["from"]))
    if "until" in row:
        end = min(end, millis(row["until"]))
    if set(row.get("scope", {})) & {"vm", "volume"}:
        # it has no discount while it is not there
        begin = max(begin, min(piece.begin for piece in covered))
        end = min(end, max(piece.end for piece in covered))
    return Fraction(max(0, end - begin), month[1] - month[0])
