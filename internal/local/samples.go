package local

import _ "embed"

// Samples has sample remediations, one JSON body of POST /v1/remediations per line: sixty
// occurrences of twelve kinds of incidents.
//
//go:embed samples.ndjson
var Samples []byte
