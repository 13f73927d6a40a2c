"""`cs`, a CloudStack client that is not ours, reads the replay server page by page.

Needs `pip install cs pytest`, and CSBILL_REPLAY: the path of the built `csbill-replay`.
"""

import gzip
import json
import os
import pathlib
import subprocess

import pytest

cs = pytest.importorskip("cs")

DATA = pathlib.Path(__file__).resolve().parents[2] / "data" / "cloudstack-4.23"
START, END = "1970-01-01", "2100-01-01"


def recorded():
    """Every recorded usage record, in the order in which CloudStack sent them."""
    folder = DATA / "usage-daily"
    records = []
    for entry in json.loads((folder / "index.json").read_text()):
        with gzip.open(folder / entry["file"]) as body:
            answer = json.load(body)["listusagerecordsresponse"]
        records += answer.get("usagerecord", [])
    return records


@pytest.fixture(scope="module")
def replay():
    program = os.environ.get("CSBILL_REPLAY")
    if not program:
        pytest.skip("CSBILL_REPLAY names no csbill-replay")
    # it ends when its standard input does
    with subprocess.Popen(
        [program, "--data", str(DATA)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        yield json.loads(server.stdout.readline())
        server.stdin.close()
        assert server.wait(timeout=30) == 0


def client(replay, **options):
    return cs.CloudStack(
        endpoint=replay["url"], key=replay["key"], secret=replay["secret"], **options
    )


@pytest.mark.parametrize("method", ["get", "post"])
def test_cs_reads_every_record_page_by_page(replay, method):
    records = client(replay, method=method).listUsageRecords(
        startdate=START, enddate=END, includetags="true", fetch_list=True
    )
    expected = recorded()
    assert len(expected) > 500, "more than one page"
    assert records == expected


def test_cs_sees_a_refusal(replay):
    with pytest.raises(cs.CloudStackApiException) as refused:
        client(replay).listUsageRecords(
            startdate=START, enddate=END, page=1, pagesize=501
        )
    assert refused.value.error["errorcode"] == 431


def test_a_wrong_secret_is_refused(replay):
    stranger = cs.CloudStack(
        endpoint=replay["url"], key=replay["key"], secret="not the secret"
    )
    with pytest.raises(cs.CloudStackException) as refused:
        stranger.listZones()
    assert "401" in str(refused.value)


def test_cs_reads_metadata(replay):
    zones = client(replay).listZones(fetch_list=True)
    assert zones and all("id" in zone for zone in zones)
