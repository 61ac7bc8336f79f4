// Package api translates between API Gateway and the domain: an event becomes a domain value or
// validation errors, a domain value or an error becomes a response. One table determines every
// status code of the service.
//
// It depends on the contract (openapi.yaml, from which its operations and the client's types are
// generated) and on API Gateway's payload format 2.0, but not on the database or on embeddings.
package api
