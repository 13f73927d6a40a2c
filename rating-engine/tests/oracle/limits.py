"""Maximum and minimum charges of a month.

Source: docs/price-book.md `[[minimum]]` and `[[maximum]]`; DESIGN §4 "Discounts", the order of
everything.
"""

from dataclasses import dataclass
from fractions import Fraction

from basics import EVER, VM_TIMES, millis

LEVELS = ("resource", "project", "domain", "account")
THINGS = ("meters", "services", "packages")


@dataclass
class TrueUp:
    """What is missing to a minimum."""

    row: dict
    path: list  # of the domain, up to the root
    holder: str  # none where it is a domain's
    resource: str
    vm: str
    amount: Fraction
    active: tuple


def who(row, piece, book):
    """Whose charges count together."""
    record, path = piece.record, piece.position["ancestry"]
    holder = record.get("projectid") or record.get("accountid")
    return {
        "resource": ((piece.of and piece.position["vm"]) or record["usageid"], holder),
        "project": (path[0], holder),
        "domain": path[0],
        "account": book.account(path),
    }[row["per"]]


def groups(kind, pieces, book):
    """The pieces that count towards each limit, from the inside: of limits for the same things the nearest."""
    found = {}
    for piece in pieces:
        best = {}
        for row in book.rows.get(kind, []):
            near = book.nearness(row, piece.position)
            if near is None or not book.valid(row, piece.begin) or not book.names(row, piece.kind, piece.name):
                continue
            family = (row["per"], *(tuple(row.get(things, ())) for things in THINGS))
            if family not in best or near > best[family][0]:
                best[family] = (near, row)
        for _, row in best.values():
            found.setdefault((row["id"], piece.month, who(row, piece, book)), (row, []))[1].append(piece)
    return sorted(found.values(), key=lambda group: (reach(group[0]), group[0]["id"]))


def share(row, month, life=(-EVER, EVER)):
    """How much of the month's amount is due, and for which time."""
    begin = max(month[0], millis(row["from"]) if "from" in row else -EVER, life[0])
    end = min(month[1], millis(row["until"]) if "until" in row else EVER, life[1])
    return Fraction(max(0, end - begin), month[1] - month[0]), (begin, end)


def life_of(row, pieces):
    born = pieces[0].born if row["per"] == "resource" else None
    return (-EVER if born is None else born, EVER)


def maximums(pieces, book):
    """In order of time; what is charged for the same time shares what is left."""
    for row, members in groups("maximum", pieces, book):
        left = Fraction(row["amount"]) * share(row, members[0].month, life_of(row, members))[0]
        for span in sorted({piece.span for piece in members}):
            together = [piece for piece in members if piece.span == span]
            cost = sum(piece.cost for piece in together)
            charged = min(cost, left)
            left -= charged
            if charged == cost:
                continue
            for piece in together:
                piece.touched.add("maximum")
                piece.cost *= charged / cost


def minimums(pieces, book, period):
    """From the inside: resources, projects, domains, accounts; what is for everything last."""
    of_use = groups("minimum", pieces, book)
    owed = [(row, members[0].month, who(row, members[0], book), members) for row, members in of_use]
    owed += commitments(book, period, [(row["id"], month, whose) for row, month, whose, _ in owed])
    found = []
    for row, month, whose, members in sorted(owed, key=lambda one: (reach(one[0]), one[0]["id"])):
        if month[0] < period[0] or month[1] > period[1]:
            continue
        part, active = share(row, month, life_of(row, members) if members else (-EVER, EVER))
        if not part:
            continue
        charged = sum(piece.cost for piece in members)
        inner = [one for one in found if counts_inner(row, whose, active, one, book)]
        missing = Fraction(row["amount"]) * part - charged - sum(one.amount for one in inner)
        if missing > 0:
            found.append(true_up(row, whose, members, missing, active, book))
    return found


def reach(row):
    return (LEVELS.index(row["per"]), not set(THINGS) & set(row))


def counts_inner(row, whose, active, other, book):
    """Whether a minimum counts what another one made up."""
    level, everything = reach(row)
    meets = active[0] < other.active[1] and other.active[0] < active[1]
    if not (everything and reach(other.row) < (level, everything) and meets):
        return False
    holder = other.holder.partition(" ")[2]
    return whose == {
        "resource": (other.resource, holder),
        "project": (other.path[0], holder),
        "domain": other.path[0],
        "account": book.account(other.path),
    }[row["per"]]


def commitments(book, period, known):
    """Who is named by a minimum owes it without any use."""
    for row in book.rows.get("minimum", []):
        ((kind, name),) = row.get("scope", {"": None}).items()
        at = period[0]
        while at < period[1]:
            month = book.month(at)
            at = month[1]
            whose = None
            if kind == row["per"] == "project":
                project = book.cloud.latest("projects", name)
                whose = project and (project["domain"], name)
            elif kind == "domain" and row["per"] in ("domain", "account"):
                domain = book.cloud.domain_named(name)
                if row["per"] == "domain" or book.account(book.cloud.ancestry(domain)) == domain:
                    whose = domain
            if whose and (row["id"], month, whose) not in known:
                yield row, month, whose, []


def true_up(row, whose, members, amount, active, book):
    first = members[0] if members else None
    if row["per"] in ("resource", "project"):
        domain = first.position["ancestry"][0] if row["per"] == "resource" else whose[0]
        resource = whose[0] if row["per"] == "resource" else whose[1]
        project = first.record.get("projectid") == whose[1] if first else True
        holder = f"{'project' if project else 'account'} {whose[1]}"
    else:
        domain = resource = whose
        holder = ""
    is_vm = row["per"] == "resource" and (first.of or first.record["usagetype"] in VM_TIMES)
    return TrueUp(row, book.cloud.ancestry(domain), holder, resource, resource if is_vm else "", amount, active)
