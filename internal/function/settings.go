package function

import (
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/datastorage-service/datastorage/internal/access"
	"github.com/datastorage-service/datastorage/internal/config"
	"github.com/datastorage-service/datastorage/internal/embedding"
)

// Settings configure a function. docs/configuration.md describes them.
type Settings struct {
	Database access.Settings
	// Embedding is the provider of vectors; EmbeddingNext that of the next model, or the zero
	// value.
	Embedding, EmbeddingNext embedding.Settings
	// RequestTimeout is DATASTORAGE_REQUEST_TIMEOUT: from the arrival of a request to its response,
	// 100 ms to 29 s. Default 10 s.
	RequestTimeout time.Duration
	// PartitionsAhead is DATASTORAGE_PARTITIONS_AHEAD: months for which maintain creates journal
	// partitions, 1 to 120. Default 3.
	PartitionsAhead int32
	// RejectsQueueURL is DATASTORAGE_REJECTS_QUEUE_URL: the standard SQS queue for bad records of
	// array messages. Default none: such messages are reported as failed.
	RejectsQueueURL string
	// LogLevel is DATASTORAGE_LOG_LEVEL: debug, info, warn or error. Default info.
	LogLevel slog.Level
	// TraceDaemon is AWS_XRAY_DAEMON_ADDRESS, which Lambda sets: the destination of traces. Default
	// none: traces are disabled.
	TraceDaemon string
}

// Load reads the settings. The error names every missing or invalid variable and never contains a
// value.
func Load(getenv func(string) string) (Settings, error) {
	r := config.NewReader(getenv)
	s := Settings{
		Database:        access.ReadSettings(r),
		RequestTimeout:  r.Duration("DATASTORAGE_REQUEST_TIMEOUT", 10*time.Second, 100*time.Millisecond, 29*time.Second),
		PartitionsAhead: int32(r.Integer("DATASTORAGE_PARTITIONS_AHEAD", 3, 1, 120)),
		RejectsQueueURL: readQueueURL(r, "DATASTORAGE_REJECTS_QUEUE_URL"),
		LogLevel:        readLogLevel(r, "DATASTORAGE_LOG_LEVEL"),
		TraceDaemon:     r.Optional("AWS_XRAY_DAEMON_ADDRESS"),
	}
	s.Embedding, s.EmbeddingNext = embedding.ReadSettings(r)
	return s, r.Err()
}

// readQueueURL reads the URL of a standard queue: a message to a FIFO queue would need a group.
func readQueueURL(r *config.Reader, variable string) string {
	value := r.Optional(variable)
	if value == "" {
		return ""
	}
	parsed, err := url.Parse(value)
	valid := err == nil && (parsed.Scheme == "https" || parsed.Scheme == "http") && parsed.Host != ""
	if !valid || strings.HasSuffix(value, ".fifo") {
		r.Reject(variable, "must be the URL of a standard SQS queue, https://…")
	}
	return value
}

func readLogLevel(r *config.Reader, variable string) slog.Level {
	level := slog.LevelInfo
	if value := r.Optional(variable); value != "" && level.UnmarshalText([]byte(value)) != nil {
		r.Reject(variable, "must be one of debug, info, warn, error")
	}
	return level
}
