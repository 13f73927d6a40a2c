-- Months whose usage was put away into archives: it is not in csb_usage, except for the three
-- days at both ends that a month beside it needs, and for what came later.
CREATE TABLE IF NOT EXISTS csb_archived_month (
    cloud BIGINT   NOT NULL REFERENCES csb_cloud (id),
    month CHAR(7)  NOT NULL COMMENT 'YYYY-MM, in UTC',
    entry LONGTEXT NOT NULL COMMENT 'place, digest, counts, times' CHECK (json_valid(entry)),
    PRIMARY KEY (cloud, month)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_nopad_bin
  COMMENT = 'A month whose usage is in an archive and not here';

CREATE TABLE IF NOT EXISTS csb_archived_use (
    cloud    BIGINT       NOT NULL,
    month    CHAR(7)      NOT NULL,
    kind     VARCHAR(32)  NOT NULL,
    resource VARCHAR(255) NOT NULL,
    uses     LONGTEXT     NOT NULL COMMENT 'JSON of the library' CHECK (json_valid(uses)),
    PRIMARY KEY (cloud, month, kind, resource),
    FOREIGN KEY (cloud, month) REFERENCES csb_archived_month (cloud, month)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_nopad_bin
  COMMENT = 'First and last uses of a VM, volume or address in a month that was put away';
