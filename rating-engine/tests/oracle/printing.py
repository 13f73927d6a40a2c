"""Pieces of one key are one line; a statement's total is rounded once and shared by its lines.

Source: DESIGN §4 "Numbers": statement, line key, largest remainder.
"""

from dataclasses import dataclass, field
from fractions import Fraction

from basics import escaped, key_of


def hamilton(total, parts):
    """Whole cents for parts in cents: floors, and what is left to the largest remainders."""
    shares = [part // 1 for part in parts]
    order = sorted(range(len(parts)), key=lambda index: (shares[index] - parts[index], index))
    for index in order[: total - sum(shares)]:
        shares[index] += 1
    return shares


def shared(total, lines, levels, minor):
    """The cents of each line; groups share the total first, then the lines in each group."""
    if not levels:
        return dict(zip([line.key for line in lines], hamilton(total, [line.net * minor for line in lines])))
    groups = {}
    for line in lines:
        groups.setdefault(getattr(line, levels[0]), []).append(line)
    sums = [sum(line.net * minor for line in group) for group in groups.values()]
    cents = {}
    for group, share in zip(groups.values(), hamilton(total, sums)):
        cents |= shared(share, group, levels[1:], minor)
    return cents


@dataclass
class Line:
    key: str
    domain: str
    holder: str
    project: str | None
    centre: str
    vm: str
    tax: str
    net: Fraction = Fraction(0)
    parts: list = field(default_factory=list)  # when each begins, and its net
    touched: set = field(default_factory=set)
    cents: int = 0

    def add(self, begin, net, touched):
        self.net += net
        self.parts.append((begin, net))
        self.touched |= touched


def of_piece(piece, book):
    record, path = piece.record, piece.position["ancestry"]
    project = record.get("projectid")
    holder = f"project {project}" if project else f"account {record['accountid']}"
    tax = piece.tax["id"] if piece.tax else ""
    vm = piece.position["vm"] or ""
    fields = [
        book.account(path),
        path[0],
        holder,
        vm,
        record["usageid"],
        piece.centre,
        f"{piece.kind} {piece.name}",
        piece.price["id"] if piece.price else "",
        piece.reason or "",
        ",".join(escaped(row["id"], ",") for row in piece.chain),
    ]
    if piece.factors:  # with them the tax is named, even if there is none
        fields += [tax, ",".join(escaped(row["id"], ",") for row in piece.factors)]
    elif tax:
        fields.append(tax)
    return fields[0], Line(key_of(fields), path[0], holder, project, piece.centre, vm, tax)


def of_true_up(true_up, book):
    """The line of a minimum is the project's, or nobody's."""
    last = true_up.active[1] - 1
    kind, _, holder = true_up.holder.partition(" ")
    project = holder if kind == "project" else None
    tags = book.cloud.tags("projects", project) if project else []
    centre = next((value for key, value, begin, end in tags if key == "CostCenter" and begin <= last < end), "")
    position = {"ancestry": true_up.path, "project": project, "vm": None, "volume": None}
    tax = book.tax(None, position, last)
    tax = tax["id"] if tax else ""
    account = book.account(true_up.path)
    key = key_of([account, true_up.path[0], true_up.resource, f"minimum {true_up.row['id']}", tax])
    return account, Line(key, true_up.path[0], true_up.holder, project, centre, true_up.vm, tax)


def statements(pieces, true_ups, book):
    """Of each account its lines by their keys, with printed cents."""
    found = {}

    def add(account, line, *part):
        found.setdefault(account, {}).setdefault(line.key, line).add(*part)

    for piece in pieces:
        add(*of_piece(piece, book), piece.begin, piece.cost, piece.touched)
    for true_up in true_ups:
        add(*of_true_up(true_up, book), true_up.active[0], true_up.amount, {"minimum by " + true_up.row["per"]})
    for lines in found.values():
        in_order = [lines[key] for key in sorted(lines, key=str.encode)]
        if book.rows.get("rounding_point") == "line-first":
            cents = {line.key: book.rounded(line.net * book.minor) for line in in_order}
        else:
            total = book.rounded(sum(line.net for line in in_order) * book.minor)
            cents = shared(total, in_order, ("domain", "holder", "centre", "vm"), book.minor)
        for line in in_order:
            line.cents = cents[line.key]
    return found
