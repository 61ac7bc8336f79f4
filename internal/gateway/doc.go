// Package gateway is an API Gateway HTTP API on this machine: it reads routes from a SAM template,
// turns HTTP requests into the events that a function receives in the cloud, and responses of
// functions into HTTP responses.
//
// It does not depend on what the functions do.
package gateway
