// Package config reads a function's settings from its environment: each with its default, validated, all faults at once. It knows the
// settings' names and ranges, and nothing of what is built from them.
package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Settings are what the environment says.
type Settings struct {
	// Database says how the function reaches PostgreSQL.
	Database Database
	// RequestTimeout is DATASTORAGE_REQUEST_TIMEOUT: from the arrival of a request to its answer, 100 ms to 29 s. Default 10 s.
	RequestTimeout time.Duration
	// PartitionsAhead is DATASTORAGE_PARTITIONS_AHEAD: months for which maintain makes journal partitions, 1 to 120. Default 3.
	PartitionsAhead int32
	// RejectsQueueURL is DATASTORAGE_REJECTS_QUEUE_URL: the standard SQS queue that gets the bad records of array messages. Default none:
	// such messages are reported whole.
	RejectsQueueURL string
	// LogLevel is DATASTORAGE_LOG_LEVEL: debug, info, warn or error. Default info.
	LogLevel slog.Level
	// TraceDaemon is AWS_XRAY_DAEMON_ADDRESS, which Lambda sets: where traces go. Default none: there are no traces.
	TraceDaemon string
	// Embedding says who makes vectors.
	Embedding Embedding
	// EmbeddingNext says who makes the vectors of the model that is to follow. The zero value means that none is: then
	// DATASTORAGE_EMBEDDING_NEXT_PROVIDER is not set.
	EmbeddingNext Embedding
}

// Database are the settings of the way into the database.
type Database struct {
	// URL is DATASTORAGE_DATABASE_URL: where PostgreSQL is, and as whom to connect. Required. A secret.
	URL string
	// ReaderURL is DATASTORAGE_DATABASE_READER_URL: where queries read that may see what was written a little late. Default URL. A secret.
	ReaderURL string
	// MaxConns is DATASTORAGE_DATABASE_MAX_CONNS: connections of one sandbox to each of the two, 1 to 100. Default 2.
	MaxConns int32
	// Auth is DATASTORAGE_DATABASE_AUTH: password or iam. Default password.
	Auth string
	// Secret is DATASTORAGE_DATABASE_SECRET: ARN or name of the secret of AWS Secrets Manager that holds user name and password. Default none:
	// they are in the URL.
	Secret string
	// CA is DATASTORAGE_DATABASE_CA: a file of PEM certificates to which the server's must lead, or system. Default system.
	CA string
	// Region is AWS_REGION, which Lambda sets.
	Region string
}

// Embedding are the settings of an embedding provider. Those of the next model are named alike, DATASTORAGE_EMBEDDING_NEXT_… with the
// same ranges and defaults, except that DATASTORAGE_EMBEDDING_NEXT_PROVIDER has none.
type Embedding struct {
	// Provider is DATASTORAGE_EMBEDDING_PROVIDER: hashing, openai or bedrock. Default hashing.
	Provider string
	// Model is DATASTORAGE_EMBEDDING_MODEL: the model's name for openai (required) and bedrock (default
	// amazon.titan-embed-text-v2:0); hashing has none.
	Model string
	// Dimensions is DATASTORAGE_EMBEDDING_DIMENSIONS: the length of the vectors, 1 to 4000. Default 512 for hashing, 1024 for bedrock;
	// openai has none.
	Dimensions int
	// URL is DATASTORAGE_EMBEDDING_URL: the address before /embeddings, for openai. Required there.
	URL string
	// APIKey is DATASTORAGE_EMBEDDING_API_KEY: the bearer token, for openai. Default none. A secret.
	APIKey string
	// Deadline is DATASTORAGE_EMBEDDING_DEADLINE: how long a request waits for vectors, 1 ms to 15 min. Default 2 s; maintain 1 min.
	Deadline time.Duration
	// Batch is DATASTORAGE_EMBEDDING_BATCH: texts in one call, for openai, 1 to 2048. Default 64.
	Batch int
	// InFlight is DATASTORAGE_EMBEDDING_IN_FLIGHT: calls under way at a time, 1 to 1000. Default 4.
	InFlight int
}

// Load reads the settings by getenv. The error names every variable that is missing or wrong and never repeats a secret.
func Load(getenv func(string) string) (Settings, error) {
	r := reader{getenv: getenv}
	s := Settings{
		Database:        r.database(),
		RequestTimeout:  r.duration("DATASTORAGE_REQUEST_TIMEOUT", 10*time.Second, 100*time.Millisecond, 29*time.Second),
		PartitionsAhead: int32(r.integer("DATASTORAGE_PARTITIONS_AHEAD", 3, 1, 120)),
		RejectsQueueURL: r.queue("DATASTORAGE_REJECTS_QUEUE_URL"),
		LogLevel:        r.level("DATASTORAGE_LOG_LEVEL"),
		TraceDaemon:     r.getenv("AWS_XRAY_DAEMON_ADDRESS"),
	}
	s.Embedding, s.EmbeddingNext = r.embeddings()
	return s, errors.Join(r.faults...)
}

func (r *reader) database() Database {
	return Database{
		URL:       r.required("DATASTORAGE_DATABASE_URL"),
		ReaderURL: r.getenv("DATASTORAGE_DATABASE_READER_URL"),
		MaxConns:  int32(r.integer("DATASTORAGE_DATABASE_MAX_CONNS", 2, 1, 100)),
		Auth:      r.word("DATASTORAGE_DATABASE_AUTH", "password", "iam"),
		Secret:    r.getenv("DATASTORAGE_DATABASE_SECRET"),
		CA:        r.getenv("DATASTORAGE_DATABASE_CA"),
		Region:    r.getenv("AWS_REGION"),
	}
}

// LoadEmbedding reads the settings of the embedding providers alone: as Settings.Embedding and Settings.EmbeddingNext.
func LoadEmbedding(getenv func(string) string) (first, next Embedding, err error) {
	r := reader{getenv: getenv}
	first, next = r.embeddings()
	return first, next, errors.Join(r.faults...)
}

func (r *reader) embeddings() (first, next Embedding) {
	const nextPrefix = "DATASTORAGE_EMBEDDING_NEXT_"
	first = r.embedding("DATASTORAGE_EMBEDDING_")
	switch {
	case r.getenv(nextPrefix+"PROVIDER") != "":
		next = r.embedding(nextPrefix)
	case r.getenv(nextPrefix+"MODEL") != "", r.getenv(nextPrefix+"DIMENSIONS") != "", r.getenv(nextPrefix+"URL") != "":
		r.required(nextPrefix + "PROVIDER")
	}
	return first, next
}

// embedding reads the settings whose names begin with the prefix.
func (r *reader) embedding(prefix string) Embedding {
	e := Embedding{
		Provider: r.word(prefix+"PROVIDER", "hashing", "openai", "bedrock"),
		Model:    r.getenv(prefix + "MODEL"),
		URL:      r.getenv(prefix + "URL"),
		APIKey:   r.getenv(prefix + "API_KEY"),
		Deadline: r.duration(prefix+"DEADLINE", 0, time.Millisecond, 15*time.Minute),
		Batch:    r.integer(prefix+"BATCH", 64, 1, 2048),
		InFlight: r.integer(prefix+"IN_FLIGHT", 4, 1, 1000),
	}
	e.Dimensions = r.integer(prefix+"DIMENSIONS", map[string]int{"hashing": 512, "bedrock": 1024}[e.Provider], 1, 4000)
	if e.Provider == "openai" {
		r.required(prefix + "URL")
		r.required(prefix + "MODEL")
		r.required(prefix + "DIMENSIONS")
	}
	return e
}

// String hides the secrets.
func (s Settings) String() string {
	return fmt.Sprintf("{Database:%v RequestTimeout:%v PartitionsAhead:%d LogLevel:%v Embedding:%v EmbeddingNext:%v}",
		s.Database, s.RequestTimeout, s.PartitionsAhead, s.LogLevel, s.Embedding, s.EmbeddingNext)
}

// GoString hides the secrets.
func (s Settings) GoString() string { return s.String() }

// String hides the secrets.
func (d Database) String() string {
	return fmt.Sprintf("{URL:[REDACTED] ReaderURL:[REDACTED] MaxConns:%d Auth:%s Secret:%s CA:%s Region:%s}", d.MaxConns, d.Auth, d.Secret, d.CA, d.Region)
}

// GoString hides the secrets.
func (d Database) GoString() string { return d.String() }

// String hides the secret.
func (e Embedding) String() string {
	return fmt.Sprintf("{Provider:%s Model:%s Dimensions:%d URL:%s APIKey:[REDACTED]}", e.Provider, e.Model, e.Dimensions, e.URL)
}

// GoString hides the secret.
func (e Embedding) GoString() string { return e.String() }

// reader reads variables one by one and gathers their faults.
type reader struct {
	getenv func(string) string
	faults []error
}

func (r *reader) fault(name, reason string) {
	r.faults = append(r.faults, fmt.Errorf("%s %s", name, reason))
}

func (r *reader) required(name string) string {
	value := r.getenv(name)
	if value == "" {
		r.fault(name, "must be set")
	}
	return value
}

func (r *reader) integer(name string, fallback, low, high int) int {
	text := r.getenv(name)
	if text == "" {
		return fallback
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high {
		r.fault(name, fmt.Sprintf("must be a whole number from %d to %d", low, high))
	}
	return n
}

func (r *reader) duration(name string, fallback, low, high time.Duration) time.Duration {
	text := r.getenv(name)
	if text == "" {
		return fallback
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < low || d > high {
		r.fault(name, fmt.Sprintf("must be a duration such as 5s, from %v to %v", low, high))
	}
	return d
}

// word reads one of a set; the first is the default.
func (r *reader) word(name string, set ...string) string {
	text := r.getenv(name)
	if text == "" {
		return set[0]
	}
	for _, word := range set {
		if text == word {
			return word
		}
	}
	r.fault(name, "must be one of "+strings.Join(set, ", "))
	return text
}

// queue reads the URL of a standard queue; a FIFO queue's would ask for groups.
func (r *reader) queue(name string) string {
	text := r.getenv(name)
	if text == "" {
		return ""
	}
	address, err := url.Parse(text)
	if err != nil || address.Scheme != "https" && address.Scheme != "http" || address.Host == "" || strings.HasSuffix(text, ".fifo") {
		r.fault(name, "must be the URL of a standard SQS queue, https://…")
	}
	return text
}

func (r *reader) level(name string) slog.Level {
	var level slog.Level
	text := r.getenv(name)
	if text == "" {
		return slog.LevelInfo
	}
	if err := level.UnmarshalText([]byte(text)); err != nil {
		r.fault(name, "must be debug, info, warn or error")
	}
	return level
}
