// Package telemetry writes metrics in CloudWatch's embedded metric format, log lines that identify
// their invocation, and X-Ray subsegments. Values that an invocation reports through its context
// are written when the invocation ends.
//
// It does not depend on requests or records. It defines every metric, and reports a dimension value
// outside its closed set as "other". It never fails or delays an invocation.
// docs/decisions/015-telemetry.md has the reasons.
package telemetry
