#!/usr/bin/env bash
# The Python SDK of CloudEvents 2 writes Python, not JSON, in binary mode, unless data is an object.
#
# Expected: in HTTP's binary mode with datacontenttype application/json the body is data as JSON (CloudEvents HTTP binding
#   1.0.2, section 3.1), whatever JSON value data is. Structured mode of the same SDK does so.
# Seen: only dict is written as JSON. A list becomes [{'ok': True}], true becomes True, a string loses its quotes. The SDK
#   itself reads such a body back as a string without an error, so an event that was a list is a string after one hop.
# Who meets it: a producer that sends several records in one event as a list (as this product's queue allows), or whoever
#   changes such a producer from structured to binary mode: readers see a syntax error, or a string.
# Instead: structured mode; or data=json.dumps(value).encode(), which is passed on as it is in binary mode (and is data_base64
#   in structured mode); or an object around the list.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
python3 -m venv --without-pip venv
python3 -m pip --python venv/bin/python install --quiet --disable-pip-version-check --no-compile cloudevents==2.2.0 >pip.log
cat >seen.py <<'PY'
import importlib.metadata
import json
import sys

from cloudevents.core.bindings.http import from_binary_event, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent

print(f"python {sys.version.split()[0]}, cloudevents {importlib.metadata.version('cloudevents')}")
described = [
    ({"ok": True}, b'{"ok": true}', {"ok": True}),
    ([{"ok": True}], b"[{'ok': True}]", "[{'ok': True}]"),
    (True, b"True", "True"),
    ("restarted", b"restarted", "restarted"),
]
same = True
for data, body, back in described:
    event = CloudEvent({"id": "rr-1", "source": "/remediator", "type": "example.remediated", "specversion": "1.0",
                        "datacontenttype": "application/json"}, data)
    assert json.loads(to_structured_event(event).body)["data"] == data
    message = to_binary_event(event)
    read = from_binary_event(message).get_data()
    print(f"data {data!r}: binary body {message.body.decode()}, read back as {read!r}")
    same = same and message.body == body and read == back and type(read) is type(back)
print("as described" if same else "CHANGED: not as described")
sys.exit(not same)
PY
venv/bin/python seen.py
