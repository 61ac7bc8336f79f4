package audit

import (
	"fmt"

	"github.com/datastorage-service/datastorage/internal/jcs"
	"github.com/datastorage-service/datastorage/internal/redact"
)

// Metadata is a JSON object as jcs.Format writes it: keys sorted, numbers with the digits they were sent with. Empty means {}.
type Metadata string

// EmptyMetadata is what a record without metadata holds.
const EmptyMetadata Metadata = "{}"

// sanitizeMetadata sanitises the tree of a metadata object and checks its size and depth. A nil tree is an absent or null field.
func (c Checker) sanitizeMetadata(tree map[string]any) Metadata {
	const field = "metadata"
	if tree == nil || c.hasError(field) {
		return EmptyMetadata
	}
	if nestingDepth(tree) > MaxMetadataDepth {
		c.addError(field, CodeDepth, fmt.Sprintf("nested deeper than %d levels", MaxMetadataDepth))
		return EmptyMetadata
	}
	text, err := jcs.Format(redact.Tree(tree, c.Actions))
	if err != nil {
		c.addError(field, CodeMalformed, "cannot be written as JSON")
		return EmptyMetadata
	}
	if len(text) > MaxMetadata {
		c.addError(field, CodeTooLong, fmt.Sprintf("longer than %d KiB", MaxMetadata>>10))
	}
	return Metadata(text)
}

// parseTree is the object again; the text was made by jcs.Format and is within the limits.
func (m Metadata) parseTree() (any, error) {
	tree, faults := ParseJSON([]byte(m), JSONLimits{Bytes: MaxMetadata, Depth: MaxMetadataDepth}, redact.Actions{})
	if err := faults.Err(); err != nil {
		return nil, fmt.Errorf("read stored metadata: %w", err)
	}
	return tree, nil
}

// nestingDepth counts nested objects and arrays: a scalar is 0, {} is 1. The tree was parsed under a depth limit.
func nestingDepth(v any) int {
	deepest := 0
	switch v := v.(type) {
	case map[string]any:
		for _, member := range v {
			deepest = max(deepest, nestingDepth(member))
		}
	case []any:
		for _, item := range v {
			deepest = max(deepest, nestingDepth(item))
		}
	default:
		return 0
	}
	return deepest + 1
}
