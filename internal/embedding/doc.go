// Package embedding turns texts into vectors. A provider makes them: feature hashing in this
// process, an OpenAI-compatible endpoint or Amazon Bedrock. The Embedder is the policy around a
// provider: its caches, batches, concurrency and retries, and the deadline after which a write goes
// on without its vector.
//
// It does not know where vectors are stored, nor which records a signature belongs to.
package embedding
