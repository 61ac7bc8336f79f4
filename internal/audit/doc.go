// Package audit is the domain: remediations and their child records, the rules that they must
// satisfy, filters over them, and journal entries with their canonical bytes.
//
// It is pure: the wire format of the API, SQL, the network and the clock are unknown to it. Callers
// pass the current time.
package audit
