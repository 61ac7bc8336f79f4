package postgrestest

import (
	"fmt"
	"regexp"
	"strings"
)

// maxStatement is the length in bytes above which RDS Proxy pins on a statement's text.
const maxStatement = 16 << 10

// startupParameters are the startup parameters, in lower case, that RDS Proxy accepts from a client.
func startupParameters() []string {
	return []string{
		"user", "database", "application_name", "client_encoding", "datestyle", "timezone", "extra_float_digits", "search_path",
	}
}

// quoted matches the parts of a statement that are not code: comments, and quoted or dollar-quoted strings. It
// does not support nested comments, which are rare.
var quoted = regexp.MustCompile(`(?s)--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$\$.*?\$\$`)

var (
	sessionCommand  = regexp.MustCompile(`(?i)^\s*(SET|PREPARE|EXECUTE|DEALLOCATE|DISCARD|DECLARE|LISTEN|LOAD)\b`)
	sessionFunction = regexp.MustCompile(`(?i)\b(set_config|nextval|setval|pg_(?:try_)?advisory_(?:un)?lock\w*)\s*\(`)
	temporary       = regexp.MustCompile(`(?i)\b(?:CREATE|INTO)\s+(?:(?:OR\s+REPLACE|LOCAL|GLOBAL)\s+)*(TEMP|TEMPORARY)\b|\bpg_temp\b`)
)

// pinningReasons returns the reasons why RDS Proxy would pin a connection on this text.
func pinningReasons(sql string) []string {
	var reasons []string
	if len(sql) > maxStatement {
		reasons = append(reasons, fmt.Sprintf("text of %d bytes", len(sql)))
	}
	for statement := range strings.SplitSeq(quoted.ReplaceAllString(sql, " "), ";") {
		if word := sessionCommand.FindString(statement); word != "" {
			reasons = append(reasons, strings.ToUpper(strings.TrimSpace(word)))
		}
		if call := sessionFunction.FindStringSubmatch(statement); call != nil {
			reasons = append(reasons, strings.ToLower(call[1]))
		}
		if temporary.MatchString(statement) {
			reasons = append(reasons, "temporary object")
		}
	}
	return reasons
}
