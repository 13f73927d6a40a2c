-- Months whose usage was put away into archives: it is not in csb_usage, except for the three
-- days at both ends that a month beside it needs, and for what came later.
CREATE TABLE csb_archived_month (
    cloud INTEGER NOT NULL REFERENCES csb_cloud (id),
    month TEXT    NOT NULL,                    -- YYYY-MM, in UTC
    entry TEXT    NOT NULL CHECK (json_valid(entry)),  -- place, digest, counts, times
    PRIMARY KEY (cloud, month)
) STRICT;

-- The first and last uses of each VM, volume and address in such a month.
CREATE TABLE csb_archived_use (
    cloud    INTEGER NOT NULL,
    month    TEXT    NOT NULL,
    kind     TEXT    NOT NULL,
    resource TEXT    NOT NULL,
    uses     TEXT    NOT NULL CHECK (json_valid(uses)),  -- JSON of the library
    PRIMARY KEY (cloud, month, kind, resource),
    FOREIGN KEY (cloud, month) REFERENCES csb_archived_month (cloud, month)
) STRICT, WITHOUT ROWID;
