"""A second opinion: mqtt-packet (npm) makes and reads the table of packets.

Rule: byte for byte the same, both ways; where it says more than the table (lengths, defaults), that is let be.
"""
import json
import subprocess

import env
import packets
import pytest

ROWS = packets.SENT + packets.RECEIVED


def as_json(value):
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, dict):
        return {key: as_json(item) for key, item in value.items()}
    return [as_json(item) for item in value] if isinstance(value, list) else value


def fields(row):
    """A row as mqtt-packet wants it."""
    given = {"dup": False, **row} if row["cmd"] == "publish" else dict(row)
    if row["cmd"] == "connect":
        version = row.get("protocolVersion", 4)
        given.update(protocolId="MQIsdp" if version == 3 else "MQTT", protocolVersion=version)
    return as_json(given)


@pytest.fixture(scope="module")
def answers():
    missing = env.ensure_node()
    if missing:
        pytest.skip(f"mqtt-packet: {missing}")
    rows = [{"fields": fields(row), "hex": packets.to_bytes(text).hex()} for row, text in ROWS]
    program = env.NODE / "packet.mjs"
    done = subprocess.run(["node", program], input=json.dumps(rows), capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("n", range(len(ROWS)), ids=lambda n: f"{n}-{ROWS[n][0]['cmd']}")
def test_mqtt_packet_writes_the_same_bytes(answers, n):
    assert answers[n]["generated"] == packets.to_bytes(ROWS[n][1]).hex()


@pytest.mark.parametrize("n", range(len(ROWS)), ids=lambda n: f"{n}-{ROWS[n][0]['cmd']}")
def test_mqtt_packet_reads_the_same_fields(answers, n):
    wanted, parsed = fields(ROWS[n][0]), answers[n]["parsed"]
    if "will" in wanted:
        assert {key: parsed["will"][key] for key in wanted["will"]} == wanted.pop("will")
    if "subscriptions" in wanted:
        parsed["subscriptions"] = [{key: s[key] for key in ("topic", "qos")} for s in parsed["subscriptions"]]
    assert {key: parsed[key] for key in wanted} == wanted
