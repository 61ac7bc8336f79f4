package embedding

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// providerKind describes a provider that settings can choose. A new one is a file that implements
// provider and returns its providerKind, and a line in providerKinds.
type providerKind struct {
	name string
	// defaults replace the zero fields of the settings.
	defaults Settings
	// required lists the settings without a default, by the suffix of their variables.
	required []string
	// open creates the provider without calling it, or returns an error that names the invalid
	// fields.
	open func(ctx context.Context, s Settings) (provider, error)
}

// providerKinds lists the providers; the first is the default.
func providerKinds() []providerKind {
	return []providerKind{hashingKind(), openAIKind(), bedrockKind()}
}

func providerNames() []string {
	var names []string
	for _, kind := range providerKinds() {
		names = append(names, kind.name)
	}
	return names
}

func findProvider(name string) (providerKind, error) {
	kinds := providerKinds()
	i := slices.IndexFunc(kinds, func(kind providerKind) bool { return kind.name == name })
	if i < 0 {
		return providerKind{}, fmt.Errorf("must be one of %s", strings.Join(providerNames(), ", "))
	}
	return kinds[i], nil
}
