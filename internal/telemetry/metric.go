package telemetry

import "slices"

// Namespace is the CloudWatch namespace of every metric.
const Namespace = "DataStorage"

// Metric is one of the service's metrics.
type Metric int

// The metrics; docs/observability.md says what each of them counts.
const (
	Operations           Metric = iota // by operation and status: invocations
	OperationDuration                  // by operation: from the event's arrival to its answer
	DualWrites                         // by status: remediations written with their vector
	DualWriteFailures                  // by reason: those that were not stored
	PostgresLatency                    // of each statement
	VectorDBLatency                    // of each statement that reads, compares or stores vectors; counted in PostgresLatency as well
	EmbeddingGenerations               // by status: texts that a provider was asked for
	EmbeddingCacheHits                 // texts that needed no call of a provider
	EmbeddingCacheMisses               // texts that needed one
	ValidationFailures                 // by field: faults that answers name
	Sanitizations                      // by action: what was done to texts before they were kept
	BatchSize                          // records sent at once
	EmbeddingsPending                  // signatures without a vector of the active model, after a run of the upkeep
	ColdStarts                         // first invocations of a sandbox
	QueueMessages                      // by status: messages of the queue
	metrics                            // how many there are
)

// The values of the dimension status.
const (
	Success  = "success"
	Rejected = "rejected" // the caller's fault: an answer of 4xx
	Failure  = "failure"
	Timeout  = "timeout"  // the function's time ended first
	Pending  = "pending"  // stored, its vector is to follow
	Replayed = "replayed" // stored before
	Refused  = "refused"  // the provider has no vector for the text, now or later
	Stored   = "stored"   // all of a message's records are stored
	Poison   = "poison"   // a message that can never be stored
	Early    = "early"    // a message that came before what it belongs to
	Blocked  = "blocked"  // a message behind one of its group that was not stored
	Late     = "late"     // a message that the function's time did not suffice for
)

// The values of the dimension reason.
const (
	ReasonConflict    = "conflict"    // the key is taken by other content
	ReasonRefused     = "refused"     // a rule of the database
	ReasonUnavailable = "unavailable" // the database did not answer
	ReasonTimeout     = "timeout"     // the deadline ended first
	ReasonCanceled    = "canceled"    // the caller gave up
	ReasonInternal    = "internal"    // a fault of the service
)

// Other stands for every value outside a dimension's closed set.
const Other = "other"

// ClosedSets are the values that the dimensions may take which other packages fill: each set is given by the package that owns the names.
// They are identifiers: letters, digits and underscores. A value that is not in its set is reported as Other.
type ClosedSets struct {
	Operations, Fields, Actions []string
}

// Of returns the values that a dimension of a metric may take besides Other.
func (s ClosedSets) Of(m Metric, name string) []string {
	for _, d := range definitions[m].dimensions {
		if d.name == name {
			return slices.Clone(s.values(d))
		}
	}
	return nil
}

func (s ClosedSets) values(d dimension) []string {
	switch d.name {
	case operation.name:
		return s.Operations
	case field.name:
		return s.Fields
	case action.name:
		return s.Actions
	default:
		return d.values
	}
}

// closed returns the value, or Other if the dimension does not have it.
func (s ClosedSets) closed(d dimension, value string) string {
	if slices.Contains(s.values(d), value) {
		return value
	}
	return Other
}

// dimension is a name with its closed set, unless that is one of ClosedSets.
type dimension struct {
	name   string
	values []string
}

// The dimensions whose values are in ClosedSets.
var (
	operation = dimension{name: "operation"}
	field     = dimension{name: "field"}
	action    = dimension{name: "action"}
)

// definition is what CloudWatch needs to know of a metric. Of counters the sum is reported, of others every value.
type definition struct {
	name       string
	unit       string
	counter    bool
	dimensions []dimension
}

const (
	unitCount   = "Count"
	unitSeconds = "Seconds"
)

// definitions is the one table of metrics and of the closed sets that are telemetry's own.
var definitions = [metrics]definition{
	Operations: {"datastorage_operations_total", unitCount, true, []dimension{operation, {"status", []string{
		Success, Rejected, Failure, Timeout,
	}}}},
	OperationDuration: {"datastorage_operation_duration_seconds", unitSeconds, false, []dimension{operation}},
	DualWrites:        {"datastorage_dualwrite_total", unitCount, true, []dimension{{"status", []string{Success, Pending, Replayed, Failure}}}},
	DualWriteFailures: {"datastorage_dualwrite_failures_total", unitCount, true, []dimension{{"reason", []string{
		ReasonConflict, ReasonRefused, ReasonUnavailable, ReasonTimeout, ReasonCanceled, ReasonInternal,
	}}}},
	PostgresLatency:      {"datastorage_postgres_latency_seconds", unitSeconds, false, nil},
	VectorDBLatency:      {"datastorage_vectordb_latency_seconds", unitSeconds, false, nil},
	EmbeddingGenerations: {"datastorage_embedding_generation_total", unitCount, true, []dimension{{"status", []string{Success, Failure, Refused}}}},
	EmbeddingCacheHits:   {"datastorage_embedding_cache_hits_total", unitCount, true, nil},
	EmbeddingCacheMisses: {"datastorage_embedding_cache_misses_total", unitCount, true, nil},
	ValidationFailures:   {"datastorage_validation_failures_total", unitCount, true, []dimension{field}},
	Sanitizations:        {"datastorage_sanitization_total", unitCount, true, []dimension{action}},
	BatchSize:            {"datastorage_batch_size", unitCount, false, nil},
	EmbeddingsPending:    {"datastorage_embeddings_pending", unitCount, false, nil},
	ColdStarts:           {"datastorage_cold_starts_total", unitCount, true, nil},
	QueueMessages: {"datastorage_queue_messages_total", unitCount, true, []dimension{{"status", []string{
		Stored, Rejected, Poison, Early, Blocked, Late, Failure,
	}}}},
}

// Name is the metric's name in CloudWatch.
func (m Metric) Name() string { return definitions[m].name }

// Unit is the metric's unit in CloudWatch: Count or Seconds.
func (m Metric) Unit() string { return definitions[m].unit }

// Dimensions are the names of the metric's dimensions.
func (m Metric) Dimensions() []string {
	names := make([]string, len(definitions[m].dimensions))
	for i, d := range definitions[m].dimensions {
		names[i] = d.name
	}
	return names
}

// Metrics are all of them.
func Metrics() []Metric {
	all := make([]Metric, metrics)
	for i := range all {
		all[i] = Metric(i)
	}
	return all
}
