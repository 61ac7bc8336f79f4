// Package audit is the domain: remediations and their children, the rules they obey, filters over them, and the journal's entries with
// their canonical bytes.
//
// It is pure. It knows no JSON wire shape of the API, no SQL, no network, no clock but the time it is handed.
package audit
