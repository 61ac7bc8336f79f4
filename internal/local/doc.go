// Package local is what stands around the functions on one machine: a private PostgreSQL, the front that turns HTTP requests
// into the events a function receives in the cloud, and the stack of both that `make run` serves.
//
// It knows how to install, start and stop these parts, and how the functions are wired. It does not know what a remediation
// is, and nothing that runs in the cloud imports it.
package local
