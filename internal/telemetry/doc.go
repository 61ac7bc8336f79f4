// Package telemetry writes metrics in CloudWatch's embedded metric format, log lines that identify
// their invocation, and X-Ray subsegments. Whatever an invocation reports through its context is
// written when the invocation ends.
//
// It knows neither requests nor records. It knows every metric, and a dimension takes no value
// outside its closed set: such a value is reported as "other". It never fails or delays an
// invocation. docs/decisions/015-telemetry.md has the reasons.
package telemetry
