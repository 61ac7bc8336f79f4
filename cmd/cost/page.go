package main

import (
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"text/template"

	"github.com/datastorage-service/datastorage/internal/local"
	"github.com/datastorage-service/datastorage/internal/telemetry"
)

// Regions of the prices. Amounts are computed for the first, the only one with every price.
const (
	pricedRegion = "us-east-1"
	otherRegion  = "eu-central-1"
)

//go:embed page.md.tmpl
var pageText string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{"number": formatNumber}).Parse(pageText))

// page is what the page shows.
type page struct {
	Idle, Writes, Queue bill
	Omissions           []omissionRow
	Connections         []connectionRow
	Prices              []priceRow
	Quantities          []quantity
	// Series is the number of metric series that the functions can write, SeriesUSD their price in a month.
	Series    int
	SeriesUSD string
}

// bill has the lines of both stages and their sums, in USD.
type bill struct {
	Rows      []billRow
	Dev, Prod string
}

type billRow struct {
	Name, Price                string
	Dev, DevUSD, Prod, ProdUSD string
}

type priceRow struct {
	ID, Service, Unit, First, Other string
}

// calculator computes bills from a template and the parameters of its stages.
type calculator struct {
	template []byte
	stages   map[string]map[string]string
	tables   tables
}

// lineSource returns the lines of a bill for a stack.
type lineSource func(stack, tables) ([]line, error)

func newPage(content []byte, stages map[string]map[string]string) (*page, error) {
	t, err := readTables()
	if err != nil {
		return nil, err
	}
	c := calculator{content, stages, t}
	idle, idleErr := c.newBill(idleLines)
	writes, writesErr := c.newBill(writeLines)
	queue, queueErr := c.newBill(queueLines)
	omissions, omissionsErr := c.omissionRows()
	series := countSeries(local.ClosedSets())
	seriesUSD, err := c.price(line{price: "custom-metric-month", factors: []factor{{float64(series), "series"}}})
	return &page{
		Idle: idle, Writes: writes, Queue: queue, Omissions: omissions, Connections: connectionRows(),
		Prices: c.priceRows(), Quantities: t.quantities, Series: series, SeriesUSD: formatUSD(seriesUSD),
	}, errors.Join(idleErr, writesErr, queueErr, omissionsErr, err)
}

// lines returns the lines of a stage with further parameters.
func (c calculator) lines(stage string, further map[string]string, source lineSource) ([]line, error) {
	parameters := maps.Clone(c.stages[stage])
	maps.Copy(parameters, further)
	s, err := newStack(c.template, parameters)
	if err != nil {
		return nil, fmt.Errorf("stage %s: %w", stage, err)
	}
	if err := s.checkPriced(); err != nil {
		return nil, err
	}
	lines, err := source(s, c.tables)
	if err := errors.Join(s.Err(), err); err != nil {
		return nil, fmt.Errorf("stage %s: %w", stage, err)
	}
	return lines, nil
}

// price returns what a line costs, in USD rounded to cents.
func (c calculator) price(l line) (float64, error) {
	found, known := c.tables.findPrice(l.price, pricedRegion)
	if !known {
		return 0, fmt.Errorf("prices.yaml has no price %s in %s", l.price, pricedRegion)
	}
	return roundCents(l.amount() * found.USD), nil
}

// sum returns what lines cost together, in USD.
func (c calculator) sum(lines []line) (float64, error) {
	total := 0.0
	for _, l := range lines {
		usd, err := c.price(l)
		if err != nil {
			return 0, err
		}
		total += usd
	}
	return total, nil
}

// newBill returns the bill of both stages; their lines have the same names.
func (c calculator) newBill(source lineSource) (bill, error) {
	dev, devErr := c.lines("dev", nil, source)
	prod, prodErr := c.lines("prod", nil, source)
	devSum, devSumErr := c.sum(dev)
	prodSum, prodSumErr := c.sum(prod)
	if err := errors.Join(devErr, prodErr, devSumErr, prodSumErr); err != nil {
		return bill{}, err
	}
	b := bill{Dev: formatUSD(devSum), Prod: formatUSD(prodSum)}
	for i := range dev {
		b.Rows = append(b.Rows, c.newRow(dev[i], prod[i]))
	}
	return b, nil
}

// newRow returns the row of a line in both stages, whose prices newBill has found.
func (c calculator) newRow(dev, prod line) billRow {
	devUSD, _ := c.price(dev)
	prodUSD, _ := c.price(prod)
	return billRow{
		Name: dev.name, Price: dev.price,
		Dev: dev.arithmetic(), DevUSD: formatUSD(devUSD), Prod: prod.arithmetic(), ProdUSD: formatUSD(prodUSD),
	}
}

func (c calculator) priceRows() []priceRow {
	var rows []priceRow
	for _, price := range c.tables.prices {
		rows = append(rows, priceRow{price.ID, price.Service, price.Unit, formatPrice(price, pricedRegion), formatPrice(price, otherRegion)})
	}
	return rows
}

// formatPrice prints a price in a region with its source and date.
func formatPrice(price listPrice, region string) string {
	found, known := price.Regions[region]
	if !known {
		return "not found"
	}
	return fmt.Sprintf("%s ([%s](%s))", formatNumber(found.USD), found.Date, found.Source)
}

func formatUSD(usd float64) string { return fmt.Sprintf("%.2f", usd) }

// countSeries returns the number of metric series that the functions can write: each combination of the
// values of a metric's dimensions, with the value that replaces all others.
func countSeries(sets telemetry.ClosedSets) int {
	total := 0
	for _, metric := range telemetry.Metrics() {
		series := 1
		for _, dimension := range metric.Dimensions() {
			series *= len(sets.Values(metric, dimension)) + 1
		}
		total += series
	}
	return total
}
