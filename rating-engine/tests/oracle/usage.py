"""Usage records as streams of windows, and where the used time of a window lies.

Source: DESIGN §4 "Time", placing used time in its window, and "Dirty usage", identical copies.
"""

import json
from fractions import Fraction

import cleaning
from basics import COUNTED, EVER, half_away, millis

# what tells windows of one stream apart
OF_A_WINDOW = ("startdate", "enddate", "rawusage", "usage", "description", "tags")


class Usage:
    def __init__(self, pages, policies):
        self.streams = {}
        for page in pages:
            for record in page["listusagerecordsresponse"]["usagerecord"]:
                self.add(record)
        windows = [window for stream in self.streams.values() for window in stream["records"]]
        self.starts = {start for start, *_ in windows}
        self.ends = {end for _, end, _ in windows}
        for stream in self.streams.values():
            stream["windows"] = cleaning.clean(stream, policies)

    def add(self, record):
        """Time in whole seconds (as milliseconds), half-open windows, bytes as they are."""
        key = json.dumps({name: value for name, value in record.items() if name not in OF_A_WINDOW}, sort_keys=True)
        start, end = millis(record["startdate"]), millis(record["enddate"])
        end += 1000 if end % 60_000 == 59_000 else 0
        raw = Fraction(record["rawusage"])
        used = int(raw) if record["usagetype"] in COUNTED else half_away(raw * 3600) * 1000
        stream = self.streams.setdefault(key, {"record": record, "records": [], "noted": {}})
        stream["records"].append((start, end, used))

    def place(self, stream, created):
        """Begin, end and amount of what was used in each window."""
        windows = stream["windows"]
        if stream["record"]["usagetype"] in COUNTED:
            return windows
        whole = [used == end - start for start, end, used in windows]

        def beside(index, step):
            start, end, _ = windows[index]
            other = index + step
            if 0 <= other < len(windows) and (windows[other][0] == end if step > 0 else windows[other][1] == start):
                return "whole" if whole[other] else "part"
            return "nothing" if (end in self.starts if step > 0 else start in self.ends) else "unknown"

        placed = []
        for index, (start, end, used) in enumerate(windows):
            before, after = beside(index, -1), beside(index, 1)
            if used > end - start:  # lies nowhere in particular
                before = after = "unknown"
            if whole[index]:
                placed.append((start, end, used))
            elif before == "nothing" and after in ("whole", "part"):
                placed.append((end - used, end, used))
            elif before in ("whole", "part") and after == "nothing":
                placed.append((start, start + used, used))
            elif before == "whole" and after == "part" and beside(index + 1, 1) == "whole":
                placed.append((start, start + used, used))
            elif before == "part" and after == "whole" and beside(index - 1, -1) == "whole":
                placed.append((end - used, end, used))
            else:
                # a life begins at its creation and has no end here
                lived = end - max(start, created)
                fits = created > -EVER and 0 < lived and used <= lived + 1000
                placed.append((max(start, created) if fits else start, end, used))
        return placed
