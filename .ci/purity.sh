#!/bin/sh
# Proves that rating stays pure: nothing in its dependency tree can reach a network, a
# database, a clock of the system, another language or a thread pool.
set -eu
cd "$(dirname "$0")/.."
forbidden='^(reqwest|hyper|tokio|rusqlite|mysql|sqlx|pyo3|rust_xlsxwriter|rayon|tempfile|iana-time-zone|getrandom|rand) v'
tree=$(cargo tree --locked --package rating-engine --edges normal --prefix none)
found=$(printf '%s\n' "$tree" | grep -E "$forbidden" | sort -u || true)
if [ -n "$found" ]; then
    printf 'rating-engine must stay pure, but depends on:\n%s\n' "$found" >&2
    exit 1
fi
echo "rating-engine is pure: $(printf '%s\n' "$tree" | sort -u | grep -c ' v') crates, none of them forbidden"
