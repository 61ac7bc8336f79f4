#!/usr/bin/env bash
# The JavaScript SDK of CloudEvents changes the time of an event that it passes on.
#
# Expected: an event that is parsed and serialized again has the same attributes. CloudEvents 1.0.2 makes time optional
#   (section "time") and takes any RFC 3339 timestamp, with as many digits of a second as the producer has.
# Seen: HTTP.toEvent gives an event without a time the time of parsing, so each delivery of the same event is another event; a
#   time with 9 digits keeps 3. The Go SDK keeps both as they are.
# Who meets it: a relay in JavaScript (Lambda, Knative, a webhook bridge) in front of a writer that is idempotent by content:
#   the second delivery of one event has other content under the same id, which is a 409; events a few microseconds apart
#   become simultaneous, so an order by time is lost.
# Instead: relay the bytes received; compute digests and keys from source and id, and never from time; producers set time.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
echo "{\"private\": true}" >package.json
npm install --prefer-offline --no-audit --no-fund --no-update-notifier --ignore-scripts cloudevents@10.0.0 >npm.log
cat >seen.mjs <<'JS'
import { createRequire } from "node:module";
import { HTTP } from "cloudevents";
const require = createRequire(import.meta.url);
console.log(`node ${process.version}, cloudevents ${require("cloudevents/package.json").version}`);

const relay = event => {
  const message = { headers: { "content-type": "application/cloudevents+json" }, body: JSON.stringify(event) };
  return JSON.parse(HTTP.structured(HTTP.toEvent(message)).body);
};
const event = { specversion: "1.0", id: "rr-1", source: "/remediator", type: "example.remediated", data: { ok: true } };

const first = relay(event).time;
await new Promise(resolve => setTimeout(resolve, 20));
const second = relay(event).time;
console.log(`no time, first delivery:  ${first}`);
console.log(`no time, second delivery: ${second}`);
const sent = "2026-11-28T01:02:03.123456789Z";
const passed = relay({ ...event, time: sent }).time;
console.log(`${sent} becomes ${passed}`);

const asDescribed = first !== undefined && second !== undefined && first !== second && passed === "2026-11-28T01:02:03.123Z";
console.log(asDescribed ? "as described" : "CHANGED: not as described");
process.exit(asDescribed ? 0 : 1);
JS
node seen.mjs
