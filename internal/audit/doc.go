// Package audit is the domain model: remediations and their child records, the rules that they must
// satisfy, filters over them, and journal entries with their canonical bytes.
//
// It does no I/O, does not read the clock, and does not depend on SQL or the API's wire format.
// Callers pass the current time.
package audit
