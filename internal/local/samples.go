package local

import _ "embed"

// Samples are remediations to begin with, one JSON record a line, as POST /v1/remediations takes them: twelve kinds of incidents that
// occurred sixty times.
//
//go:embed samples.ndjson
var Samples []byte
