package migrate

import (
	"github.com/datastorage-service/datastorage/internal/function"
	"github.com/datastorage-service/datastorage/internal/telemetry"
)

// Options returns the dimension values of the function's metrics.
func Options() function.Options {
	return function.Options{ClosedSets: telemetry.ClosedSets{Operations: []string{Operation}}}
}

// Open wires the function.
func Open(parts *function.Parts) (*Handler, error) {
	return New(Config{
		DatabaseURL: parts.Databases.Writer.URL, Models: parts.Models, Log: parts.Log, Telemetry: parts.Telemetry,
	})
}
