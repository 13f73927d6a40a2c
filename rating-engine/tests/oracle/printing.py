"""Pieces of one key are one line; a statement's total is rounded once and shared by its lines.

Source: DESIGN §4 "Numbers": statement, line key, largest remainder.
"""

from basics import escaped, half_away, key_of, ratio


def hamilton(total, parts):
    """Whole cents for parts in cents: floors, and what is left to the largest remainders."""
    shares = [part // 1 for part in parts]
    order = sorted(range(len(parts)), key=lambda index: (shares[index] - parts[index], index))
    for index in order[: total - sum(shares)]:
        shares[index] += 1
    return shares


def shared(total, lines, levels):
    """The cents of each line; groups share the total first, then the lines in each group."""
    if not levels:
        return dict(zip(lines, hamilton(total, [net for _, net in lines.values()])))
    groups = {}
    for key, (fields, net) in lines.items():
        groups.setdefault(fields[levels[0]], {})[key] = (fields, net)
    sums = [sum(net for _, net in group.values()) for group in groups.values()]
    cents = {}
    for group, share in zip(groups.values(), hamilton(total, sums)):
        cents |= shared(share, group, levels[1:])
    return cents


def key_fields(piece):
    record, path = piece.record, piece.position["ancestry"]
    account = path[-2] if len(path) > 1 else path[0]
    holder = f"project {record['projectid']}" if record.get("projectid") else f"account {record['accountid']}"
    fields = [
        account,
        path[0],
        holder,
        piece.position["vm"] or "",
        record["usageid"],
        piece.centre,
        f"{piece.kind} {piece.name}",
        piece.price["id"] if piece.price else "",
        piece.reason or "",
        ",".join(escaped(row["id"], ",") for row in piece.chain),
    ]
    if piece.factors:  # with them the tax is named, though there is none
        fields += ["", ",".join(escaped(row["id"], ",") for row in piece.factors)]
    return fields


def print_lines(pieces):
    """Of each line the key, exact net and printed amount; of each rule how many lines it touched."""
    statements, touched = {}, {}
    for piece in pieces:
        fields = key_fields(piece)
        lines = statements.setdefault(fields[0], {})
        key = key_of(fields)
        net = lines[key][1] if key in lines else 0
        lines[key] = (fields, net + piece.cost)
        for rule in piece.touched:
            touched.setdefault(rule, set()).add(key)
    printed = {}
    for lines in statements.values():
        lines = {key: (lines[key][0], lines[key][1] * 100) for key in sorted(lines, key=str.encode)}
        # by domain, holder, cost centre, VM, line
        cents = shared(half_away(sum(net for _, net in lines.values())), lines, (1, 2, 5, 3))
        for key, (_, net) in lines.items():
            printed[key] = [ratio(net / 100), f"{cents[key] // 100}.{cents[key] % 100:02d}"]
    return {"lines": printed, "touched": {rule: len(keys) for rule, keys in touched.items()}}
