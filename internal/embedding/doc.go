// Package embedding turns texts into vectors: three providers (feature hashing in the process, any OpenAI-compatible HTTP
// endpoint, Amazon Bedrock) behind one small interface, and the policy around them, which is the Embedder: what it remembers,
// how it batches, how many calls it has in flight, when it tries again, and when it gives up so that a write can go on
// without its vector.
//
// It does not know where vectors are stored, what a record is beyond the signature that names its incident, or what an
// answer to a caller looks like.
package embedding
