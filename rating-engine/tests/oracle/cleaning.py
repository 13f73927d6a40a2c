"""Records that cannot be right: copies, more time than a window has, windows that overlap.

Source: DESIGN §4 "Dirty usage" and "Placing used time in its window"; docs/price-book.md
`findings`.
"""

from basics import COUNTED


def clean(stream, policies):
    """Windows in order of time. What is done is noted by the window, for the test to count."""
    counted = stream["record"]["usagetype"] in COUNTED
    windows = twins(stream)
    if not counted:
        windows = within_windows(windows, policies.get("over_window", "clip"), stream)
    return without_overlaps(windows, policies.get("overlap", "clip"), stream)


def note(stream, rule, window):
    stream["noted"].setdefault(rule, set()).add(window[:2])


def twins(stream):
    """Identical copies are billed once; what differs is added."""
    sums = {}
    for window in set(stream["records"]):
        start, end, used = window
        if stream["records"].count(window) > 1:
            note(stream, "identical copy", window)
        if (start, end) in sums:
            note(stream, "records of one window", window)
        sums[start, end] = sums.get((start, end), 0) + used
    return sorted((start, end, used) for (start, end), used in sums.items())


def within_windows(windows, policy, stream):
    kept = []
    for start, end, used in windows:
        if used > end - start:
            note(stream, "over its window", (start, end))
            if policy == "hold":
                continue
            used = used if policy == "flag" else end - start
        kept.append((start, end, used))
    return kept


def without_overlaps(windows, policy, stream):
    """The wider ones come first; of a later one stays what is not covered yet."""
    kept, flagged = [], []
    for start, end, used in sorted(windows, key=lambda window: (window[0] - window[1], window[0])):
        free = uncovered(start, end, kept)
        length = sum(until - since for since, until in free)
        if length == end - start:
            kept.append((start, end, used))
            continue
        note(stream, "overlap", (start, end))
        if policy == "flag":
            flagged.append((start, end, used))
        elif policy == "clip" and length:
            # what is kept has its share of the use, and each part of it the share of its time
            own, before = used * length // (end - start), 0
            for since, until in free:
                after = before + until - since
                kept.append((since, until, own * after // length - own * before // length))
                note(stream, "overlap", (since, until))
                before = after
    return sorted(kept + flagged, key=lambda window: window[:2])


def uncovered(start, end, kept):
    free = []
    for since, until, _ in sorted(kept):
        if since < end and until > start:
            if since > start:
                free.append((start, since))
            start = max(start, until)
    return free + ([(start, end)] if start < end else [])
