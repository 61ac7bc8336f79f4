package main

import (
	"bytes"
	_ "embed"
	"fmt"

	"go.yaml.in/yaml/v3"
)

//go:embed prices.yaml
var priceFile []byte

//go:embed quantities.yaml
var quantityFile []byte

// listPrice is the price of a unit of a service by region.
type listPrice struct {
	ID      string                   `yaml:"id"`
	Service string                   `yaml:"service"`
	Unit    string                   `yaml:"unit"`
	Regions map[string]regionalPrice `yaml:"regions"`
}

type regionalPrice struct {
	USD    float64 `yaml:"usd"`
	Date   string  `yaml:"date"`
	Source string  `yaml:"source"`
}

// quantity is a figure that the template does not say.
type quantity struct {
	ID     string  `yaml:"id"`
	Value  float64 `yaml:"value"`
	Unit   string  `yaml:"unit"`
	Source string  `yaml:"source"`
}

// tables are the prices and quantities in the order of their files.
type tables struct {
	prices     []listPrice
	quantities []quantity
}

// readTables returns the tables of the embedded files.
func readTables() (tables, error) {
	var t tables
	if err := decodeStrict(priceFile, &t.prices); err != nil {
		return t, fmt.Errorf("read prices.yaml: %w", err)
	}
	if err := decodeStrict(quantityFile, &t.quantities); err != nil {
		return t, fmt.Errorf("read quantities.yaml: %w", err)
	}
	return t, nil
}

func decodeStrict(content []byte, into any) error {
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	decoder.KnownFields(true)
	return decoder.Decode(into)
}

// findPrice returns a price in a region.
func (t tables) findPrice(id, region string) (regionalPrice, bool) {
	for _, price := range t.prices {
		if price.ID == id {
			found, known := price.Regions[region]
			return found, known
		}
	}
	return regionalPrice{}, false
}

// factor returns a quantity as a factor of a line.
func (t tables) factor(id string) factor {
	for _, q := range t.quantities {
		if q.ID == id {
			return factor{q.Value, q.Unit}
		}
	}
	panic("quantities.yaml has no " + id)
}
