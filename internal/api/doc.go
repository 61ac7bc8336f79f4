// Package api is the wire: an API Gateway event becomes a domain value or faults, a domain value or an error becomes an answer.
// Every status code of the service is decided here, in one table.
//
// It knows the shapes of the API (its types are those of the client, generated from openapi.yaml) and of API Gateway's payload
// format 2.0. It knows neither database nor embedding.
package api
