package telemetry

import "slices"

// Namespace is the CloudWatch namespace of every metric.
const Namespace = "DataStorage"

// Metric is one of the service's metrics.
type Metric int

// The metrics, described in docs/observability.md.
const (
	Operations           Metric = iota // by operation and status: invocations
	OperationDuration                  // by operation: from the arrival of the event to its response
	DualWrites                         // by status: remediations sent
	DualWriteFailures                  // by reason: remediations not stored
	PostgresLatency                    // each statement
	VectorDBLatency                    // each statement that reads, compares or stores vectors; also in PostgresLatency
	EmbeddingGenerations               // by status: texts sent to a provider
	EmbeddingCacheHits                 // texts whose vectors needed no call of a provider
	EmbeddingCacheMisses               // texts that needed a call
	ValidationFailures                 // by field: validation errors in responses
	Sanitizations                      // by action: changes to texts before they are stored
	BatchSize                          // records of one request or event
	EmbeddingsPending                  // signatures without a vector of the active model, after a maintenance run
	NearDuplicates                     // signatures of a sample that differ from another in values or one token only, after a maintenance run
	ColdStarts                         // first invocations of a sandbox
	QueueMessages                      // by status: deliveries of queue messages
	VersionFailures                    // by version: invocations of a deployed version that failed or timed out
	metricCount
)

// The values of the dimension status.
const (
	Success  = "success"
	Rejected = "rejected" // the caller's error: a 4xx response, or a message that cannot be stored
	Failure  = "failure"
	Timeout  = "timeout"  // still running shortly before the function's deadline
	Pending  = "pending"  // stored without its vector, which is made later
	Replayed = "replayed" // stored before
	Refused  = "refused"  // the provider will never return a vector for the text
)

// The values of the dimension status of QueueMessages, in addition to Failure.
const (
	MessageStored   = "stored"   // all records of the message are stored
	MessageRejected = "rejected" // records of the message were sent to the rejects queue, the others are stored
	MessagePoison   = "poison"   // a message that can never be stored
	MessageEarly    = "early"    // a message whose remediation is not stored yet
	MessageBlocked  = "blocked"  // a message after one of its FIFO group that was not stored
	MessageLate     = "late"     // a message not processed before the function's deadline
)

// The values of the dimension reason.
const (
	ReasonConflict    = "conflict"    // other content is stored under the key
	ReasonRefused     = "refused"     // a constraint of the database
	ReasonUnavailable = "unavailable" // the database did not respond
	ReasonTimeout     = "timeout"     // the deadline passed
	ReasonCanceled    = "canceled"    // the caller cancelled
	ReasonInternal    = "internal"    // a bug in the service
)

// Other replaces every value outside the closed set of its dimension.
const Other = "other"

// ClosedSets are the values of the dimensions operation, field and action, given by the packages
// that own the names. A name consists of letters, digits and underscores.
type ClosedSets struct {
	Operations, Fields, Actions []string
	// version is Config.Version.
	version []string
}

// Values returns the closed set of a metric's dimension, without Other.
func (s ClosedSets) Values(m Metric, name string) []string {
	for _, d := range definitions[m].dimensions {
		if d.name == name {
			return slices.Clone(s.closedSet(d))
		}
	}
	return nil
}

func (s ClosedSets) closedSet(d dimension) []string {
	switch d.name {
	case operation.name:
		return s.Operations
	case field.name:
		return s.Fields
	case action.name:
		return s.Actions
	case version.name:
		return s.version
	default:
		return d.values
	}
}

func (s ClosedSets) valueOrOther(d dimension, value string) string {
	if slices.Contains(s.closedSet(d), value) {
		return value
	}
	return Other
}

type dimension struct {
	name   string
	values []string // nil if the values are in ClosedSets
}

// The dimensions of ClosedSets.
var (
	operation = dimension{name: "operation"}
	field     = dimension{name: "field"}
	action    = dimension{name: "action"}
	version   = dimension{name: "version"}
)

// definition describes a metric to CloudWatch.
type definition struct {
	name       string
	unit       string
	counter    bool // values of an invocation are added up instead of listed
	dimensions []dimension
}

const (
	unitCount   = "Count"
	unitSeconds = "Seconds"
)

// definitions is the one table of metrics and of telemetry's own closed sets.
var definitions = [metricCount]definition{
	Operations: {"datastorage_operations_total", unitCount, true, []dimension{operation, {"status", []string{
		Success, Rejected, Failure, Timeout,
	}}}},
	OperationDuration: {"datastorage_operation_duration_seconds", unitSeconds, false, []dimension{operation}},
	DualWrites: {"datastorage_dualwrite_total", unitCount, true, []dimension{{"status", []string{
		Success, Pending, Replayed, Failure,
	}}}},
	DualWriteFailures: {"datastorage_dualwrite_failures_total", unitCount, true, []dimension{{"reason", []string{
		ReasonConflict, ReasonRefused, ReasonUnavailable, ReasonTimeout, ReasonCanceled, ReasonInternal,
	}}}},
	PostgresLatency: {"datastorage_postgres_latency_seconds", unitSeconds, false, nil},
	VectorDBLatency: {"datastorage_vectordb_latency_seconds", unitSeconds, false, nil},
	EmbeddingGenerations: {"datastorage_embedding_generation_total", unitCount, true, []dimension{{"status", []string{
		Success, Failure, Refused,
	}}}},
	EmbeddingCacheHits:   {"datastorage_embedding_cache_hits_total", unitCount, true, nil},
	EmbeddingCacheMisses: {"datastorage_embedding_cache_misses_total", unitCount, true, nil},
	ValidationFailures:   {"datastorage_validation_failures_total", unitCount, true, []dimension{field}},
	Sanitizations:        {"datastorage_sanitization_total", unitCount, true, []dimension{action}},
	BatchSize:            {"datastorage_batch_size", unitCount, false, nil},
	EmbeddingsPending:    {"datastorage_embeddings_pending", unitCount, false, nil},
	NearDuplicates:       {"datastorage_near_duplicate_signatures", unitCount, false, nil},
	ColdStarts:           {"datastorage_cold_starts_total", unitCount, true, nil},
	QueueMessages: {"datastorage_queue_messages_total", unitCount, true, []dimension{{"status", []string{
		MessageStored, MessageRejected, MessagePoison, MessageEarly, MessageBlocked, MessageLate, Failure,
	}}}},
	VersionFailures: {"datastorage_version_failures_total", unitCount, true, []dimension{version}},
}

// Name is the metric's name in CloudWatch.
func (m Metric) Name() string { return definitions[m].name }

// Unit is the metric's unit in CloudWatch: Count or Seconds.
func (m Metric) Unit() string { return definitions[m].unit }

// Dimensions returns the names of the metric's dimensions.
func (m Metric) Dimensions() []string {
	names := make([]string, len(definitions[m].dimensions))
	for i, d := range definitions[m].dimensions {
		names[i] = d.name
	}
	return names
}

// Metrics returns all metrics.
func Metrics() []Metric {
	all := make([]Metric, metricCount)
	for i := range all {
		all[i] = Metric(i)
	}
	return all
}
