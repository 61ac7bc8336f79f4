package redact

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Tree applies the rules of Text to a tree of map[string]any, []any and scalars, keys included. It
// returns a new tree and does not modify v. A key is the label of its value, as in a text:
//
//   - a string that the key labels as a secret is replaced. Names, references, counts and states
//     stay, as in a text: secretName, prompt_tokens, "token": "expired". A number behind a label for
//     passwords is replaced; null, true, false and "" stay, since they reveal nothing;
//   - a list or object behind such a key is a list or object of secrets;
//   - each member of data and stringData in an object whose kind is Secret is replaced;
//   - value in an object whose name or key labels a secret, as in a container's env;
//   - the strings of a list are read together, so a flag labels the next one.
//
// Keys that become equal get a suffix (key, key~2), so no member is lost.
func Tree(v any, actions Actions) any {
	switch v := v.(type) {
	case string:
		return Text(v, actions)
	case []any:
		return redactList(v, actions)
	case map[string]any:
		return redactObject(v, actions)
	default:
		return v
	}
}

// redactList redacts the items of a list. Runs of strings are read as one text.
func redactList(items []any, actions Actions) []any {
	out := make([]any, len(items))
	for i := 0; i < len(items); {
		n := 0
		for i+n < len(items) && isShortString(items[i+n]) {
			n++
		}
		if n > 1 {
			redactStrings(items[i:i+n], out[i:i+n], actions)
			i += n
			continue
		}
		out[i] = Tree(items[i], actions)
		i++
	}
	return out
}

func isShortString(v any) bool {
	const longest = 4096
	s, ok := v.(string)
	return ok && len(s) < longest
}

// redactStrings redacts strings as the items of one list, and then each on its own.
func redactStrings(items, out []any, actions Actions) {
	const open, separator = `["`, `", "`
	text := open
	bounds := make([]span, len(items))
	for i, item := range items {
		value, _ := item.(string)
		clean := cleanCharacters(value, actions)
		bounds[i] = span{start: len(text), end: len(text) + len(clean)}
		text += clean + separator
	}
	found := findSecrets(strings.TrimSuffix(text, separator) + `"]`)
	for i, item := range bounds {
		var inside []span
		for _, secret := range found {
			if secret.start >= item.start && secret.end <= item.end {
				inside = append(inside, span{secret.start - item.start, secret.end - item.start, secret.action})
			}
		}
		out[i] = Text(replaceSpans(text[item.start:item.end], inside, actions), actions)
	}
}

func redactObject(members map[string]any, actions Actions) map[string]any {
	out := make(map[string]any, len(members))
	names := sanitizedKeys(members, actions)
	for key, value := range members {
		out[names.storedName(key)] = redactMember(members, key, value, actions)
	}
	return out
}

func redactMember(members map[string]any, key string, value any, actions Actions) any {
	switch {
	case isSecretData(key) && isSecretObject(members):
		return redactSecretData(value, actions)
	case isEntryValue(key):
		if name := entryName(members); classifyLabel(name) > labelRandom {
			return redactLabelled(name, value, actions)
		}
	}
	return redactLabelled(key, value, actions)
}

// isEntryValue reports whether the key is of the value in an entry whose name is in another member.
func isEntryValue(key string) bool {
	switch strings.ToLower(key) {
	case "value", "default", "parametervalue":
		return true
	}
	return false
}

// isSecretObject reports whether an object is a Kubernetes Secret.
func isSecretObject(members map[string]any) bool {
	kind, _ := members["kind"].(string)
	return strings.EqualFold(kind, "Secret")
}

// entryName returns the name of an entry such as {"name": "TOKEN", "value": "…"}, or the last part of
// its path, as in a JSON patch; or "".
func entryName(members map[string]any) string {
	for _, key := range [...]string{"name", "key", "Name", "Key", "ParameterKey", "path"} {
		if name, ok := members[key].(string); ok {
			return name[strings.LastIndexByte(name, '/')+1:]
		}
	}
	return ""
}

// redactLabelled redacts the value behind a label.
func redactLabelled(label string, value any, actions Actions) any {
	switch value := value.(type) {
	case string:
		return redactLabelledText(label, value, actions)
	case json.Number:
		if kind := classifyLabel(label); kind == labelPassword || kind == labelSecret && !isCount(&assignment{label: label}, value.String()) {
			return redactValue(value, ActionMetadataValue, actions)
		}
		return value
	case []any:
		if !announcesSecret(label) {
			return redactList(value, actions)
		}
		out := make([]any, len(value))
		for i, item := range value {
			out[i] = redactLabelled(label, item, actions)
		}
		return out
	case map[string]any:
		if classifyLabel(label) <= labelRandom {
			return redactObject(value, actions)
		}
		return redactGroup(label, value, actions)
	default:
		return value
	}
}

// announcesSecret reports whether values behind the label are read by it.
func announcesSecret(label string) bool {
	words := splitLabel(label)
	a := assignment{label: label, class: words.classify()}
	return a.class > labelRandom || (&scanner{}).classifyInContext(&a, &words) >= labelSecret
}

// redactGroup redacts the members of an object behind a label. Members whose own key is a word that
// has a role in labels, such as name or path, are read by that.
func redactGroup(label string, members map[string]any, actions Actions) map[string]any {
	out := make(map[string]any, len(members))
	names := sanitizedKeys(members, actions)
	for key, value := range members {
		words := splitLabel(key)
		switch {
		case words.count > 0 && words.words[words.count-1].kind&(wordProperty|wordSecret|wordPassword) != 0, strings.EqualFold(key, "key"):
			out[names.storedName(key)] = redactMember(members, key, value, actions)
		default:
			out[names.storedName(key)] = redactLabelled(strings.TrimSuffix(label, "s"), value, actions)
		}
	}
	return out
}

// redactLabelledText redacts a string behind a label by the rules for a quoted value in a text.
func redactLabelledText(label, value string, actions Actions) string {
	text := Text(value, actions)
	if text == "" || len(label) > maxLabel {
		return text
	}
	sc := &scanner{text: text, nest: nesting{text: text}}
	words := splitLabel(label)
	a := assignment{label: label, class: words.classify(), place: placeMember, end: len(text), quoted: true}
	if a.class <= labelRandom {
		if a.class = sc.classifyInContext(&a, &words); a.class < labelAuthorization || a.class > labelUserPassword {
			return text
		}
		a.quoted, a.place = false, placeLine
		sc.scanValues(&a)
		return replaceSpans(text, sc.found, actions)
	}
	if !sc.isSecret(&a) {
		return text
	}
	actions[ActionMetadataValue]++
	return redacted
}

// keyNames maps the keys that sanitizing changes to their new names. It is nil if there are none.
type keyNames map[string]string

func sanitizedKeys(members map[string]any, actions Actions) keyNames {
	var names keyNames
	for key := range members {
		if clean := Text(key, actions); clean != key {
			if names == nil {
				names = keyNames{}
			}
			names[key] = clean
		}
	}
	if names == nil {
		return nil
	}
	taken := make(map[string]bool, len(members))
	for key := range members {
		_, changed := names[key]
		taken[key] = !changed
	}
	for _, key := range slices.Sorted(maps.Keys(names)) {
		names[key] = uniqueKeyName(names[key], taken)
		taken[names[key]] = true
	}
	return names
}

func (names keyNames) storedName(key string) string {
	if name, changed := names[key]; changed {
		return name
	}
	return key
}

func uniqueKeyName(name string, taken map[string]bool) string {
	free := name
	for n := 2; taken[free]; n++ {
		free = name + "~" + strconv.Itoa(n)
	}
	return free
}

func redactValue(value any, action Action, actions Actions) any {
	switch value {
	case nil, true, false, "", redacted:
		return value
	}
	actions[action]++
	return redacted
}

// redactSecretData replaces each member of a Kubernetes Secret's data and keeps the keys.
func redactSecretData(value any, actions Actions) any {
	members, ok := value.(map[string]any)
	if !ok {
		return redactValue(value, ActionKubernetesSecret, actions)
	}
	out := make(map[string]any, len(members))
	names := sanitizedKeys(members, actions)
	for key, value := range members {
		out[names.storedName(key)] = redactValue(value, ActionKubernetesSecret, actions)
	}
	return out
}
