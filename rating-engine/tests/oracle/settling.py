"""From printed lines to what is payable: credits, taxes on what they left, deposits.

Source: docs/price-book.md `[[credit]]` and `[[tax]]`; RATING.md §1.15 and 1.16.
"""

from fractions import Fraction

from basics import EVER, key_of, millis, ratio, text_of
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
    balances = Balances(book, period)
    paths = {account: book.cloud.latest("domains", account)["path"] for account in statements}
    in_turn = sorted(paths, key=paths.get)
    return {account: of_account(account, statements[account], balances, book, period) for account in in_turn}


class Balances:
    """What is left of each credit."""

    def __init__(self, book, period):
        self.book = book
        self.left = {row["id"]: self.available(row, period) for row in book.rows.get("credit", [])}

    def available(self, row, period):
        spent = [self.coins(entry["amount"]) for entry in row.get("spent", []) if millis(entry["until"]) <= period[0]]
        return max(0, self.coins(row["amount"]) - sum(spent))

    def coins(self, amount):
        return self.book.rounded(Fraction(amount) * self.book.minor)

    def spend(self, row, taken):
        """As a statement tells it."""
        self.left[row["id"]] -= taken
        return [row["id"], text_of(taken, self.book.minor), text_of(self.left[row["id"]], self.book.minor)]


def of_account(account, lines, balances, book, period):
    lines = [lines[key] for key in sorted(lines, key=str.encode)]
    for line in lines:
        line.open = line.cents
        line.open_parts = [Fraction(net) for _, net in line.parts]
    printed = {line.key: [ratio(line.net), text_of(line.cents, book.minor)] for line in lines}
    credits = pay(lines, balances, book)
    for row, taken, _ in credits:
        net = ratio(Fraction(-taken, book.minor))
        printed[credit_key(row, account, book)] = [net, text_of(-taken, book.minor)]
    taxes = tax_lines(lines, book)
    net = sum(line.cents for line in lines) - sum(taken for _, taken, _ in credits)
    gross = net + sum(amount for *_, amount in taxes)
    deposits = pay_back(account, gross, balances, book, period)
    return {
        "lines": printed,
        "total": text_of(net, book.minor),
        "taxes": [[row["id"], text_of(base, book.minor), text_of(amount, book.minor)] for row, base, amount in taxes],
        "gross": text_of(gross, book.minor),
        "credits": [told for *_, told in credits + deposits],
        "payable": text_of(gross - sum(taken for _, taken, _ in deposits), book.minor),
        "touched": {"credit" for _ in credits} | {"deposit" for _ in deposits},
    }


def pay(lines, balances, book):
    """What credits take of the lines, before tax."""
    used = []
    for row in in_order(book):
        taken = 0 if row.get("after_tax") else take(row, lines, balances.left[row["id"]], book)
        if taken:
            used.append((row, taken, balances.spend(row, taken)))
    return used


def pay_back(account, payable, balances, book, period):
    """What deposits of the account take of what is payable."""
    used = []
    for row in in_order(book):
        holds = book.valid_within(row, period) and book.nearness(row, of_domain(account, book)) is not None
        if row.get("after_tax") and holds:
            taken = min(balances.left[row["id"]], payable)
            if taken > 0:
                payable -= taken
                used.append((row, taken, balances.spend(row, taken)))
    return used


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
    return min(valid * book.minor, Fraction(line.open))


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
            found.append((row, base, book.rounded(base * Fraction(row["percent"]) / 100)))
    return found
