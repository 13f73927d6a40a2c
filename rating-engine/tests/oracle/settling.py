"""From printed lines to what is payable: credits, taxes on what they left, deposits.

Source: docs/price-book.md `[[credit]]` and `[[tax]]`; RATING.md §1.15 and 1.16.
"""

from fractions import Fraction

from basics import EVER, half_away, key_of, millis, ratio, text_of
from printing import hamilton


def in_order(book):
    """The lowest priority first, then the earliest end, then the oldest."""

    def order(row):
        until = millis(row["until"]) if "until" in row else EVER
        since = millis(row["from"]) if "from" in row else -EVER
        return (row.get("priority", 0), until, since, row["id"])

    return sorted(book.rows.get("credit", []), key=order)


def settle(statements, book, period):
    """Credits may pay several statements, one after the other by the paths of their domains."""
    left = {row["id"]: available(row, period) for row in book.rows.get("credit", [])}
    paths = {account: book.cloud.latest("domains", account)["path"] for account in statements}
    return {account: of_account(account, statements[account], left, book, period) for account in sorted(paths, key=paths.get)}


def available(row, period):
    spent = [entry["amount"] for entry in row.get("spent", []) if millis(entry["until"]) <= period[0]]
    return max(0, half_away(Fraction(row["amount"]) * 100) - sum(half_away(Fraction(amount) * 100) for amount in spent))


def of_account(account, lines, left, book, period):
    lines = [lines[key] for key in sorted(lines, key=str.encode)]
    for line in lines:
        line.open = line.cents
        line.open_parts = [Fraction(net) for _, net in line.parts]
    printed = {line.key: [ratio(line.net), text_of(line.cents)] for line in lines}
    used, touched = [], set()
    for row in in_order(book):
        if not row.get("after_tax"):
            taken = take(row, lines, left[row["id"]], book)
            if taken:
                left[row["id"]] -= taken
                used.append([row["id"], text_of(taken), text_of(left[row["id"]])])
                printed[credit_key(row, account, book)] = [ratio(Fraction(-taken, 100)), text_of(-taken)]
                touched.add("credit")
    taxes = tax_lines(lines, book)
    net = sum(line.cents for line in lines) - sum(half_away(Fraction(taken) * 100) for _, taken, _ in used)
    gross = payable = net + sum(amount for *_, amount in taxes)
    for row in in_order(book):
        validity = book.valid_within(row, period)
        if row.get("after_tax") and validity and book.nearness(row, of_domain(account, book)) is not None:
            taken = min(left[row["id"]], payable)
            if taken > 0:
                left[row["id"]] -= taken
                payable -= taken
                used.append([row["id"], text_of(taken), text_of(left[row["id"]])])
                touched.add("deposit")
    return {
        "lines": printed,
        "total": text_of(net),
        "taxes": [[row["id"], text_of(base), text_of(amount)] for row, base, amount in taxes],
        "gross": text_of(gross),
        "credits": used,
        "payable": text_of(payable),
        "touched": touched,
    }


def of_domain(domain, book, project=None):
    return {"ancestry": book.cloud.ancestry(domain), "project": project, "vm": None, "volume": None}


def take(row, lines, balance, book):
    """As much as there is to pay in the credit's scope and time, from each line in proportion."""
    weights = [weight(row, line, book) for line in lines]
    taken = min(sum(weights) // 1, balance)
    if taken <= 0:
        return 0
    part = Fraction(taken) / sum(weights)
    for line, own, cents in zip(lines, weights, hamilton(taken, [own * part for own in weights])):
        line.open -= cents
        if own:
            for index, (begin, _) in enumerate(line.parts):
                if book.valid(row, begin):
                    line.open_parts[index] *= 1 - part
    return taken


def weight(row, line, book):
    """The cents of a line that a credit may pay."""
    if line.open < 0 or book.nearness(row, of_domain(line.domain, book, line.project)) is None:
        return Fraction(0)
    if all(book.valid(row, begin) for begin, _ in line.parts):
        return Fraction(line.open)
    valid = sum(left for (begin, _), left in zip(line.parts, line.open_parts) if book.valid(row, begin))
    return min(valid * 100, Fraction(line.open))


def credit_key(row, account, book):
    ((kind, name),) = row["scope"].items()
    if kind == "project":
        domain, resource = book.cloud.latest("projects", name)["domain"], name
    else:
        domain = resource = book.cloud.domain_named(name)
    return key_of([account, domain, resource, f"credit {row['id']}"])


def tax_lines(lines, book):
    """Each rate on the sum of what is left of its lines, rounded once."""
    found = []
    for row in sorted(book.rows.get("tax", []), key=lambda row: row["id"]):
        own = [line for line in lines if line.tax == row["id"]]
        if own:
            base = sum(line.open for line in own)
            found.append((row, base, half_away(base * Fraction(row["percent"]) / 100)))
    return found
