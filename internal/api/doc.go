// Package api translates between API Gateway and the domain: an event becomes a domain value or
// validation errors, a domain value or an error becomes a response. It decides every status code of
// the service, in one table.
//
// It knows the contract (openapi.yaml, from which its operations and the client's types are
// generated) and API Gateway's payload format 2.0. It knows neither the database nor embeddings.
package api
