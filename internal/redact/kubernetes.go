package redact

import (
	"strings"

	"github.com/datastorage-service/datastorage/internal/ascii"
)

// findKubernetesSecrets finds the values of data and stringData in manifests of kind Secret, in
// YAML and JSON, also inside other text. Keys are kept; other kinds, such as ConfigMap, are not
// changed.
func findKubernetesSecrets(s string, pairs *bytePairs, found []span) []span {
	if (pairs.excludes("ecret") || !strings.Contains(s, "ecret")) && (pairs.excludes("stringData") || !strings.Contains(s, "stringData")) {
		return found
	}
	found = findPrintedSecrets(s, found)
	found = findFlowSecrets(s, found)
	found = findQueriedSecrets(s, found)
	if !strings.Contains(s, "kind") && !strings.Contains(s, "ata") {
		return found
	}
	for _, escaped := range []bool{false, true} {
		if escaped && !strings.Contains(s, `\n`) {
			continue
		}
		y := &yamlSecrets{text: s, escaped: escaped, found: found}
		y.scanLines()
		found = y.found
	}
	for _, quote := range []jsonQuote{{'"', 0}, {'"', 1}, {'"', 3}, {'\'', 0}} {
		if strings.Contains(s, quote.String()+"kind"+quote.String()) || strings.Contains(s, quote.String()+"data"+quote.String()) || strings.Contains(s, quote.String()+"stringData"+quote.String()) {
			j := &jsonSecrets{text: s, quote: quote, found: found}
			j.scanObjects()
			found = j.found
		}
	}
	return found
}

// findPrintedSecrets finds the values of Data and StringData in Secrets as Go prints them.
func findPrintedSecrets(s string, found []span) []span {
	if !strings.Contains(s, "Secret{") {
		return found
	}
	for _, field := range [...]string{"Data:map[string]string{", "Data:map[string][]byte{", "Data: map[string]string{", "Data: map[string][]byte{"} {
		for i := strings.Index(s, field); i >= 0; {
			i += len(field)
			end := i + strings.IndexByte(s[i:]+"}", '}')
			found = addPrintedEntries(found, s, i, end)
			next := strings.Index(s[end:], field)
			if next < 0 {
				break
			}
			i = end + next
		}
	}
	return found
}

// findFlowSecrets finds the data of Secrets in YAML's flow style on one line.
func findFlowSecrets(s string, found []span) []span {
	const kind = "kind: Secret"
	for i := strings.Index(s, kind); i >= 0; {
		start, end := nearLineStart(s, i), nearLineEnd(s, i)
		for _, field := range [...]string{"data: {", "stringData: {"} {
			if n := strings.Index(s[start:end], field); n >= 0 {
				from := start + n + len(field)
				found = addPrintedEntries(found, s, from, from+strings.IndexByte(s[from:end]+"}", '}'))
			}
		}
		next := strings.Index(s[end:], kind)
		if next < 0 {
			break
		}
		i = end + next
	}
	return found
}

// addPrintedEntries redacts the values of key:value entries between the indexes.
func addPrintedEntries(found []span, s string, i, end int) []span {
	for i < end {
		next := min(end, i+strings.IndexByte(s[i:end]+",", ','))
		if key, value, ok := strings.Cut(s[i:next], ":"); ok {
			start := i + len(key) + 1 + ascii.PrefixLen(value, ascii.IsBlank)
			for _, wrapper := range [...]string{"[]byte(", "[", "\""} {
				start += len(s[start:next]) - len(strings.TrimPrefix(s[start:next], wrapper))
			}
			found = appendSecret(found, s, start, start+len(strings.TrimRight(s[start:next], "])\" ")), ActionKubernetesSecret)
		}
		i = next + 1
	}
	return found
}

// findQueriedSecrets finds the data that follows kubectl get secret on the next line: an object, or
// one value.
func findQueriedSecrets(s string, found []span) []span {
	for i := strings.Index(s, "get secret"); i >= 0; {
		line := nearLineEnd(s, i)
		start := min(len(s), line+1)
		end := endOfLine(s, start)
		if strings.Contains(s[i:line], "-o") {
			found = addQueriedValues(found, s, start, end)
		}
		next := strings.Index(s[line:], "get secret")
		if next < 0 {
			break
		}
		i = line + next
	}
	return found
}

func addQueriedValues(found []span, s string, start, end int) []span {
	line := strings.TrimSpace(s[start:end])
	if line == "" {
		return found
	}
	if line[0] != '{' && !strings.HasPrefix(line, "map[") {
		if _, ok := decodeBase64(line); ok && len(line) >= 8 {
			return appendSecret(found, s, start, start+len(line), ActionKubernetesSecret)
		}
		return found
	}
	for i := start; i < end; i++ {
		if s[i] != ':' {
			continue
		}
		from := i + 1 + ascii.PrefixLen(s[i+1:end], func(c byte) bool { return c == '"' || c == ' ' })
		n := ascii.PrefixLen(s[from:end], isBase64Byte)
		if _, ok := decodeBase64(s[from : from+n]); ok && n >= 4 {
			found = appendSecret(found, s, from, from+n, ActionKubernetesSecret)
			i = from + n
		}
	}
	return found
}

func isSecretData(key string) bool { return key == "data" || key == "stringData" }

// yamlSecrets reads YAML by indentation alone, and so recognizes a manifest in a list, a block
// scalar, a here-document or a log, even if truncated.
type yamlSecrets struct {
	text     string
	escaped  bool // the YAML is inside a quoted string: the characters \n or a quotation mark end a line
	found    []span
	mappings []yamlMapping // open mappings, outermost first
}

// yamlMapping is a mapping whose keys are in one column.
type yamlMapping struct {
	column int
	secret bool
	data   []yamlLine // the lines under data and stringData
	inData bool
}

// yamlLine is a line without its indentation, list dashes and line break.
type yamlLine struct {
	start, end int // in the text
	column     int
	item       bool // a list dash precedes it
}

func (y *yamlSecrets) scanLines() {
	for i := 0; i < len(y.text); {
		line, next := y.lineAt(i)
		i = next
		content := y.text[line.start:line.end]
		switch {
		case content == "" || content[0] == '#':
		case line.column == 0 && (strings.HasPrefix(content, "---") || content == "..."):
			y.closeMappings(-1)
		default:
			y.addLine(line)
		}
	}
	y.closeMappings(-1)
}

// lineAt returns the line that starts at i.
func (y *yamlSecrets) lineAt(i int) (line yamlLine, next int) {
	line, next = y.lineBounds(i)
	for line.start < line.end {
		switch c := y.text[line.start]; {
		case c == ' ':
		case c == '-' && line.start+1 < line.end && y.text[line.start+1] == ' ':
			line.item = true
		default:
			line.end = line.start + len(strings.TrimRight(y.text[line.start:line.end], " \t\r"))
			return line, next
		}
		line.start++
		line.column++
	}
	return line, next
}

func (y *yamlSecrets) lineBounds(i int) (line yamlLine, next int) {
	for end := i; end < len(y.text); end++ {
		switch c := y.text[end]; {
		case c == '\n', y.escaped && c == '"' && backslashesBefore(y.text[i:], end-i) == 0:
			return yamlLine{start: i, end: end}, end + 1
		case y.escaped && c == '\\' && strings.HasPrefix(y.text[end:], `\n`):
			return yamlLine{start: i, end: end}, end + len(`\n`)
		}
	}
	return yamlLine{start: i, end: len(y.text)}, len(y.text)
}

// addLine adds a line to the mapping that it belongs to.
func (y *yamlSecrets) addLine(line yamlLine) {
	closed := line.column
	if line.item {
		closed-- // an item begins a new mapping in the same column
	}
	y.closeMappings(closed)
	for i := range y.mappings {
		if m := &y.mappings[i]; m.inData && line.column > m.column {
			m.data = append(m.data, line)
			break
		}
	}
	if n := len(y.mappings); n == 0 || y.mappings[n-1].column < line.column {
		y.mappings = append(y.mappings, yamlMapping{column: line.column})
	}
	m := &y.mappings[len(y.mappings)-1]
	key, value, _ := strings.Cut(y.text[line.start:line.end], ":")
	key = strings.Trim(key, `"' `)
	m.inData = isSecretData(key)
	if value = strings.TrimSpace(value); m.inData && value != "" && value[0] == '{' {
		line.start = line.end - len(value)
		m.data = append(m.data, line)
	}
	if key == "kind" && isSecretKind(value) || key == "stringData" {
		m.secret = true
	}
}

// isSecretKind reports whether value is Secret, with or without quotes or a comment.
func isSecretKind(value string) bool {
	value, _, _ = strings.Cut(value, " #")
	return strings.EqualFold(strings.Trim(value, "\"'\\ ,"), "Secret")
}

// closeMappings ends the mappings in columns beyond the given one.
func (y *yamlSecrets) closeMappings(column int) {
	for n := len(y.mappings) - 1; n >= 0 && y.mappings[n].column > column; n-- {
		if y.mappings[n].secret {
			y.redactData(y.mappings[n].data)
		}
		y.mappings = y.mappings[:n]
	}
}

// redactData redacts the lines under data or stringData: the values of keys in the leftmost column,
// and entire lines with more indentation.
func (y *yamlSecrets) redactData(lines []yamlLine) {
	column := -1
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		content := y.text[line.start:line.end]
		if content[0] == '{' {
			y.redactScalar(line.start+1, line.start+len(strings.TrimRight(content, "} ")))
			continue
		}
		if column < 0 || line.column < column {
			column = line.column
		}
		if line.column == column {
			if key, value, ok := strings.Cut(content, ":"); ok {
				trimmed := strings.TrimLeft(value, " \t")
				if !ascii.IsBlockIndicator(trimmed) {
					y.redactScalar(line.start+len(key)+1+len(value)-len(trimmed), line.end)
				}
				continue
			}
		}
		last := i
		for last+1 < len(lines) && lines[last+1].column > column {
			last++
		}
		y.redactScalar(line.start, lines[last].end)
		i = last
	}
}

// redactScalar redacts a value without its quotes, unless it is a template or redacted already.
func (y *yamlSecrets) redactScalar(start, end int) {
	v := y.text[start:end]
	if quote := openingQuote(v); quote != "" && strings.HasSuffix(v[len(quote):], quote) {
		start, end = start+len(quote), end-len(quote)
	}
	if v = y.text[start:end]; !isTemplateValue(v) {
		y.found = appendSecret(y.found, y.text, start, end, ActionKubernetesSecret)
	}
}

// isTemplateValue reports whether a templating tool or a shell replaces v.
func isTemplateValue(v string) bool {
	return strings.HasPrefix(v, "{{") && !containsLiteral(v) || strings.HasPrefix(v, "${") || strings.HasPrefix(v, "$(") || v == "null" || v == "~" ||
		strings.HasPrefix(v, "<") && strings.HasSuffix(v, ">")
}

// jsonQuote is the quotation mark around JSON strings. If the JSON is inside a string literal,
// backslashes precede it: one, or three if nested twice. Python prints such objects with single
// quotes.
type jsonQuote struct {
	mark        byte
	backslashes int
}

func (q jsonQuote) String() string { return strings.Repeat(`\`, q.backslashes) + string(q.mark) }

// jsonSecrets reads JSON objects loosely: other text may surround them, and their end may be
// missing.
type jsonSecrets struct {
	text   string
	quote  jsonQuote
	found  []span
	values []span       // in data and stringData of open objects
	open   []jsonObject // open objects and arrays, outermost first
	line   int          // start of the current line
}

type jsonObject struct {
	key    string // of the member being read
	secret bool
	inData bool // the object is the value of data or stringData, or inside one
	values int  // length of jsonSecrets.values when the object began
}

func (j *jsonSecrets) scanObjects() {
	for i := 0; i < len(j.text); i++ {
		switch c := j.text[i]; c {
		case '\n':
			j.line = i + 1
		case '{', '[':
			j.openContainer(i)
		case '}', ']':
			j.closeContainer()
		case ',':
			if n := len(j.open); n > 0 {
				j.open[n-1].key = ""
			}
		case j.quote.mark:
			i = j.readString(i)
		}
	}
	for len(j.open) > 0 {
		j.closeContainer()
	}
}

// openContainer opens the object or list at i. An object is a Secret if its kind, its stringData or
// the command before it says so.
func (j *jsonSecrets) openContainer(i int) {
	object := jsonObject{values: len(j.values)}
	if n := len(j.open); n > 0 {
		parent := &j.open[n-1]
		object.inData = parent.inData || isSecretData(parent.key)
		parent.secret = parent.secret || parent.key == "stringData"
	} else {
		object.secret = strings.Contains(j.text[max(j.line, i-maxLabel):i], "patch secret")
	}
	j.open = append(j.open, object)
}

func (j *jsonSecrets) closeContainer() {
	n := len(j.open) - 1
	if n < 0 {
		return
	}
	last := j.open[n]
	j.open = j.open[:n]
	if last.secret {
		j.found = append(j.found, j.values[last.values:]...)
	}
	if last.secret || !last.inData || n == 0 {
		j.values = j.values[:last.values]
	}
}

// readString reads the string that starts with the quotation mark at i and returns the index of its
// end.
func (j *jsonSecrets) readString(i int) int {
	n := len(j.open) - 1
	if n < 0 {
		return i
	}
	if have := backslashesBefore(j.text, i); have != j.quote.backslashes {
		if have < j.quote.backslashes { // the string around this JSON text ends
			for len(j.open) > 0 {
				j.closeContainer()
			}
		}
		return i
	}
	start := i + 1
	end, next := j.endOfString(start)
	text := j.text[start:end]
	if strings.HasPrefix(strings.TrimLeft(j.text[next:], " \t\r\n"), ":") {
		j.open[n].key = text
		return next - 1
	}
	if j.open[n].key == "kind" && strings.EqualFold(text, "Secret") {
		j.open[n].secret = true
	}
	if j.open[n].inData && !isTemplateValue(text) {
		j.values = appendSecret(j.values, j.text, start, end, ActionKubernetesSecret)
	}
	return next - 1
}

// endOfString returns the end of the string that starts at i, and the index after its quotation
// mark. An unclosed string ends with the line.
func (j *jsonSecrets) endOfString(i int) (end, next int) {
	for end = i; end < len(j.text) && j.text[end] != '\n'; end++ {
		if j.text[end] == j.quote.mark && j.isStringDelimiter(backslashesBefore(j.text[i:], end-i)) {
			return end - j.quote.backslashes, end + 1
		}
	}
	return end, end
}

// isStringDelimiter reports whether a quotation mark after that many backslashes ends a string.
// Some of them may be escaped backslashes.
func (j *jsonSecrets) isStringDelimiter(backslashes int) bool {
	return backslashes%(2*j.quote.backslashes+2) == j.quote.backslashes
}
