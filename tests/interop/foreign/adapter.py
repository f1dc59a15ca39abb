"""What the Python clients share: one order a line on standard input, its answer and the messages
that come a line each on standard output, all as JSON. Payloads are hexadecimal."""

import json
import sys
import threading

_output = threading.Lock()


def write(line):
    """Writes one line; callbacks of several threads may call it."""
    with _output:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


def message(topic, payload, qos, retain):
    """Reports a message that came."""
    write({"message": {"topic": topic, "payload": payload.hex(), "qos": qos, "retain": retain}})


def order(line):
    """Reads an order; its payloads become bytes."""
    order = json.loads(line)
    will = order.get("will")
    for carrier in (order, will or {}):
        if "payload" in carrier:
            carrier["payload"] = bytes.fromhex(carrier["payload"])
    return order


def failed(error):
    """Reports that the order in hand could not be carried out."""
    write({"error": f"{type(error).__name__}: {error}"})


def alias_topic(order, known):
    """The topic to send: none where the alias alone will do. `known` maps aliases to topics."""
    alias = order.get("alias")
    if alias is not None and known.get(alias) == order["topic"]:
        return ""
    if alias is not None:
        known[alias] = order["topic"]
    return order["topic"]
