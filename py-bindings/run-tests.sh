#!/bin/sh
# Builds the Python package as a user would (`pip install ./py-bindings`) into a virtual
# environment of its own and tests it: stubs, types, behaviour.
#
#   CARGO_TARGET_DIR  where cargo builds and the virtual environment lives (default: target)
#   PYTHON            the interpreter (default: python3)
#   CSBILL            the csbill binary, to compare its files with ours (optional)
#   CSB_STORE         a database synced from the recording (made with cargo where not given)
# Arguments go to pytest.
set -eu
cd "$(dirname "$0")"
: "${CARGO_TARGET_DIR:=$(cd .. && pwd)/target}"
export CARGO_TARGET_DIR
venv="$CARGO_TARGET_DIR/py-bindings-venv"
python="$venv/bin/python"

[ -x "$python" ] || "${PYTHON:-python3}" -m venv "$venv"
# optimised a little, built fast; uninstalled first, since pip takes an equal version for the same
"$python" -m pip uninstall -qq --yes --disable-pip-version-check cloudstack-billing
MATURIN_PEP517_ARGS="--profile dev-wheel --locked" \
    "$python" -m pip install --quiet --disable-pip-version-check '.[dev]'

if [ -z "${CSB_STORE:-}" ]; then
    CSB_STORE="$CARGO_TARGET_DIR/py-bindings-store.sqlite"
    rm -f "$CSB_STORE" "$CSB_STORE-wal" "$CSB_STORE-shm"
    recording=../examples/data/cloudstack-4.23
    cargo run --quiet --locked -p cloudstack-usage-store --example recording_to_sqlite -- \
        "$recording/usage-daily" "$recording/metadata" "$CSB_STORE"
fi
export CSB_STORE

# away from the source folder, so that the installed package is what is tested
tests="$(pwd)/tests"
cd "$CARGO_TARGET_DIR"
"$python" -m mypy.stubtest cloudstack_billing
"$python" -m mypy --config-file "$tests/../pyproject.toml" -p cloudstack_billing
"$python" -m mypy --config-file "$tests/../pyproject.toml" "$tests"
"$python" -m pytest --config-file "$tests/../pyproject.toml" --rootdir "$tests/.." -q "$@" "$tests"
