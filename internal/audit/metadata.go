package audit

import (
	"fmt"

	"github.com/datastorage-service/datastorage/internal/jcs"
	"github.com/datastorage-service/datastorage/internal/redact"
)

// Metadata is a JSON object as written by jcs.Format: keys sorted, numbers with their original
// digits. "" means that there is none.
type Metadata string

// EmptyMetadata is the metadata of a record that was sent without any.
const EmptyMetadata Metadata = "{}"

// sanitizeMetadata redacts a parsed metadata object and checks its size and depth. tree is nil if
// the field is absent or null.
func (c Checker) sanitizeMetadata(tree map[string]any) Metadata {
	const field = "metadata"
	if tree == nil || c.hasError(field) {
		return EmptyMetadata
	}
	if nestingDepth(tree) > MaxMetadataDepth {
		c.addError(field, CodeDepth, fmt.Sprintf("must not be nested deeper than %d levels", MaxMetadataDepth))
		return EmptyMetadata
	}
	text, err := jcs.Format(redact.Tree(tree, c.Actions))
	if err != nil {
		c.addError(field, CodeMalformed, "cannot be written as JSON")
		return EmptyMetadata
	}
	if len(text) > MaxMetadata {
		c.addError(field, CodeTooLong, fmt.Sprintf("must be at most %d KiB", MaxMetadata>>10))
	}
	return Metadata(text)
}

// parseMetadataTree parses metadata that was checked before.
func (m Metadata) parseMetadataTree() (any, error) {
	tree, invalid := ParseJSON([]byte(m), JSONLimits{Bytes: MaxMetadata, Depth: MaxMetadataDepth}, redact.Actions{})
	if err := invalid.Err(); err != nil {
		return nil, fmt.Errorf("read stored metadata: %w", err)
	}
	return tree, nil
}

// nestingDepth returns the number of nested objects and arrays: 0 for a scalar, 1 for {}. ParseJSON
// bounds the recursion.
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
