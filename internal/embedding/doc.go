// Package embedding turns texts into vectors. A provider makes them: feature hashing in this
// process, an OpenAI-compatible endpoint or Amazon Bedrock. The Embedder adds caches, batches,
// limited concurrency, retries and a deadline to a provider. After the deadline, a write proceeds
// without its vector.
//
// It does not depend on where vectors are stored or which records a signature belongs to.
package embedding
