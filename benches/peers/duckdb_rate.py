"""DuckDB as a peer: the same cents by exact SQL. `duckdb_rate.py FOLDER USAGE RESULT`

The rules come compiled (segments.csv): one row for each stretch of a stream in which price
and discounts do not change. Integers throughout: milliseconds or bytes times size times
price times factor, divided and rounded once for each line of the result.
"""

import sys

import duckdb

folder, usage, result = sys.argv[1:4]
con = duckdb.connect()
source = f"'{folder}/{usage}'"
if usage.endswith(".csv"):
    kinds = dict.fromkeys(
        "usageid domainid projectid accountid zoneid virtualmachineid offeringid templateid".split(), "varchar"
    )
    kinds |= dict.fromkeys("usagetype cpunumber memory".split(), "integer")
    kinds |= {"startdate": "timestamp", "enddate": "timestamp", "rawusage": "decimal(18, 6)", "size": "bigint"}
    source = f"read_csv({source}, types={kinds!r})"
# one column of cents for each domain, project, resource and component
con.execute(f"""
copy (
  with used as (
    select u.*, epoch_ms(startdate) a, epoch_ms(enddate) b,
      case when usagetype in (4, 5) then rawusage::bigint
           else round(rawusage * 3600)::bigint * 1000 end amount
    from {source} u
  ),
  rules as (
    select *, epoch_ms(s) rule_a, epoch_ms(e) rule_b from '{folder}/rules.parquet'
  ),
  part as (
    select domainid, projectid, u.usageid, component, unit_size, period_ms, price, factor,
      case component when 'cpu' then cpunumber when 'ram' then memory
        else case when u.usagetype in (6, 7, 8, 9) then size else 1 end end level,
      case when rule_a <= a and b <= rule_b then amount::hugeint
           else amount::hugeint * (least(b, rule_b) - a) // (b - a)
              - amount::hugeint * (greatest(a, rule_a) - a) // (b - a) end used
    from used u join rules r
      on u.usagetype = r.usagetype and u.usageid = r.usageid and rule_a < b and rule_b > a
  ),
  level as (
    select domainid, projectid, usageid, component, unit_size, period_ms, price, factor, level,
      sum(used)::hugeint used
    from part group by all
  ),
  line as (
    select domainid, projectid, usageid, component, unit_size, period_ms,
      sum(used * level * price * factor)::hugeint amount
    from level group by all
  ),
  -- 10^15 is a unit of price times factor; half a cent is a two-hundredth of one
  cents as (
    select domainid, projectid, usageid, component,
      (amount // (1000000000000000::hugeint * unit_size * period_ms // 200) + 1) // 2 cents
    from line
  )
  select * from cents where cents <> 0
) to '{result}' (format csv, header false)
""")
