#!/usr/bin/env bash
# Powertools for AWS Lambda: the 101st metric of an invocation loses its dimensions in TypeScript; in Python it keeps them.
#
# Expected: EMF allows 100 metrics a document, and both libraries flush at 100 by themselves. Dimensions and metadata that
#   were added for the invocation are then in every document, as the Python library does.
# Seen: in TypeScript the flush clears what addDimension and addMetadata stored, so the rest is published under the service
#   alone. The same with one metric name recorded more than 100 times: the first 100 values and the rest are two different
#   metrics of CloudWatch.
# Who meets it: a function that processes an SQS batch or a bulk write and records a metric an item: batches below the limit
#   are right, larger ones are split, alarms on the metric with its dimension miss the rest, and nothing is logged.
# Instead: setDefaultDimensions (these stay), and metadata again after each publishStoredMetrics; or aggregate first.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
echo "{\"private\": true}" >package.json
npm install --prefer-offline --no-audit --no-fund --no-update-notifier --ignore-scripts @aws-lambda-powertools/metrics@2.35.0 >npm.log
python3 -m venv --without-pip venv
python3 -m pip --python venv/bin/python install --quiet --disable-pip-version-check --no-compile aws-lambda-powertools==3.37.0 >pip.log

cat >seen.mjs <<'JS'
import { Metrics } from "@aws-lambda-powertools/metrics";
const record = (names, prepare) => {
  const metrics = new Metrics({ namespace: "finding", serviceName: "write" });
  prepare(metrics);
  for (const name of names) metrics.addMetric(name, "Count", 1);
  metrics.publishStoredMetrics();
};
const many = Array.from({ length: 101 }, (_, i) => `metric-${i}`);
const same = Array.from({ length: 101 }, () => "metric-0");
const added = metrics => { metrics.addDimension("cluster", "prod"); metrics.addMetadata("batch", "b-1"); };
record(many, added);
record(same, added);
record(many, metrics => metrics.setDefaultDimensions({ cluster: "prod" }));
JS
cat >seen.py <<'PY'
from aws_lambda_powertools.metrics import Metrics
for names in ([f"metric-{i}" for i in range(101)], ["metric-0"] * 101):
    metrics = Metrics(namespace="finding", service="write")
    metrics.add_dimension("cluster", "prod")
    metrics.add_metadata("batch", "b-1")
    for name in names:
        metrics.add_metric(name, "Count", 1)
    metrics.flush_metrics()
PY
node seen.mjs >typescript.jsonl
venv/bin/python seen.py >python.jsonl

cat >compare.py <<'PY'
import json, sys

def documents(path):
    return [json.loads(line) for line in open(path) if line.startswith("{")]

def summary(document):
    directive = document["_aws"]["CloudWatchMetrics"][0]
    return (len(directive["Metrics"]), sorted(sum(directive["Dimensions"], [])), document.get("batch"))

both, service = ["cluster", "service"], ["service"]
described = {
    "typescript.jsonl": [(100, both, "b-1"), (1, service, None), (1, both, "b-1"), (1, service, None), (100, both, None), (1, both, None)],
    "python.jsonl": [(100, both, "b-1"), (1, both, "b-1"), (1, both, "b-1"), (1, both, "b-1")],
}
same = True
for path, expected in described.items():
    seen = [summary(document) for document in documents(path)]
    print(path, "(metrics, dimensions, metadata) of each document:")
    for line in seen:
        print("   ", line)
    same = same and seen == expected
print("as described" if same else "CHANGED: not as described")
sys.exit(not same)
PY
echo "node $(node --version), @aws-lambda-powertools/metrics $(node -p 'require("./node_modules/@aws-lambda-powertools/metrics/package.json").version')"
venv/bin/python -c 'import platform, importlib.metadata as m; print("python", platform.python_version() + ", aws-lambda-powertools", m.version("aws-lambda-powertools"))'
python3 compare.py
