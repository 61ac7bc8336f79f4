#!/usr/bin/env bash
# The JavaScript SDK of CloudEvents changes data: bytes become four times as long, JSON strings lose their quotes, and false
# and 0 are dropped.
#
# Expected: the structured and the binary content mode of HTTP carry the same data (CloudEvents HTTP binding 1.0.2, sections
#   3.1 and 3.2; JSON format, section 3.1: data_base64 is bytes, data is any JSON value).
# Seen, structured in and binary out:
#   - data_base64 arrives as a Uint32Array, and the body that HTTP.binary returns is one too: fetch sends the bytes "hello" as
#     20 bytes, three zeros after each letter. The event's structured form is still right, so a round trip in a test passes.
#   - a JSON string is sent without quotes under application/json: "plain" is then no JSON, and "{\"a\":1}" is an object.
#   - data false and 0 disappear.
#   - binary in: the JSON bodies 12, true and null become the strings "12", "true" and "null".
# Who meets it: a bridge in JavaScript from a queue (structured) to a webhook (binary), for Parquet, gzip, protobuf or signed
#   bytes, and for data that is a bare JSON value. A digest of the data no longer matches.
# Instead: structured mode; or send Buffer.from(event.data_base64, "base64") and JSON.stringify(event.data) as the body
#   yourself; data is always an object.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
echo "{\"private\": true}" >package.json
npm install --prefer-offline --no-audit --no-fund --no-update-notifier --ignore-scripts cloudevents@10.0.0 >npm.log
cat >seen.mjs <<'JS'
import http from "node:http";
import { createRequire } from "node:module";
import { HTTP } from "cloudevents";
const require = createRequire(import.meta.url);
console.log(`node ${process.version}, cloudevents ${require("cloudevents/package.json").version}`);

const attributes = { specversion: "1.0", id: "rr-1", source: "/remediator", type: "example.remediated" };
const parse = content => HTTP.toEvent({
  headers: { "content-type": "application/cloudevents+json" },
  body: JSON.stringify({ ...attributes, time: "2026-11-28T01:02:03Z", ...content }),
});

let received;
const server = http.createServer((request, response) => {
  const chunks = [];
  request.on("data", chunk => chunks.push(chunk));
  request.on("end", () => { received = Buffer.concat(chunks); response.end(); });
});
await new Promise(resolve => server.listen(0, "127.0.0.1", resolve));
const deliver = async event => {
  const message = HTTP.binary(event);
  await fetch(`http://127.0.0.1:${server.address().port}/`, { method: "POST", headers: message.headers, body: message.body });
  return received;
};

const seen = {};
const event = parse({ datacontenttype: "application/octet-stream", data_base64: Buffer.from("hello").toString("base64") });
seen.type = event.data.constructor.name;
seen.bytes = (await deliver(event)).toString("hex");
seen.structured = JSON.parse(HTTP.structured(event).body).data_base64;
for (const data of ["plain", '{"a":1}', { a: 1 }, false, 0]) {
  const body = (await deliver(parse({ datacontenttype: "application/json", data }))).toString();
  seen[`sent ${JSON.stringify(data)}`] = body;
}
server.close();
for (const body of ["12", "true", "null", '{"a":1}']) {
  const headers = { "content-type": "application/json" };
  for (const [name, value] of Object.entries(attributes)) headers[`ce-${name}`] = value;
  seen[`received ${body}`] = JSON.stringify(HTTP.toEvent({ headers, body }).data);
}
for (const [name, value] of Object.entries(seen)) console.log(`${name}: ${value}`);

const described = {
  type: "Uint32Array",
  bytes: "68000000650000006c0000006c0000006f000000",
  structured: "aGVsbG8=",
  'sent "plain"': "plain",
  'sent "{\\"a\\":1}"': '{"a":1}',
  'sent {"a":1}': '{"a":1}',
  "sent false": "",
  "sent 0": "",
  "received 12": '"12"',
  "received true": '"true"',
  "received null": '"null"',
  'received {"a":1}': '{"a":1}',
};
const asDescribed = JSON.stringify(seen) === JSON.stringify(described);
console.log(asDescribed ? "as described" : "CHANGED: not as described");
process.exit(asDescribed ? 0 : 1);
JS
node seen.mjs
