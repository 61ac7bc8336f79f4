// Package audit is the domain: remediations and their children, the rules they obey, what is removed from them before
// anything is kept, the signature that names an incident, and the canonical bytes that the journal hashes.
//
// It is pure. It knows no JSON wire shape of the API, no SQL, no network, no clock but the time it is handed.
package audit
