package main

import (
	"errors"
	"fmt"
	"slices"
)

// omission is something that a deployer can leave out.
type omission struct {
	what, how, consequence string
	// parameters leave it out. If there is none, lines are the names of the idle lines that go with it.
	parameters map[string]string
	lines      []string
}

type omissionRow struct {
	What, How, Consequence, Dev, Prod string
}

var ownNetwork = map[string]string{"VpcId": "vpc-1", "SubnetIds": "subnet-1,subnet-2"}

var givenDatabase = map[string]string{
	"DatabaseIdentifier": "cluster", "DatabaseHost": "host", "DatabaseResourceId": "cluster-1", "DatabaseSecretArn": "arn",
	"DatabaseSecurityGroupId": "sg-1", "DatabaseReader": "false", "VpcId": "vpc-1", "SubnetIds": "subnet-1,subnet-2",
}

var omissionTable = []omission{
	{
		what: "the reader", how: "`DatabaseReader=false`", parameters: map[string]string{"DatabaseReader": "false"},
		consequence: "queries and writes share one instance, and if it fails RDS makes another before the service continues",
	},
	{
		what: "capacity that waits", how: "`DatabaseMinCapacity=0.5`", parameters: map[string]string{"DatabaseMinCapacity": "0.5"},
		consequence: "less memory for a cache that survives idle hours, and at most 2,000 connections to the database",
	},
	{
		what: "interface endpoints", how: "`VpcId` and `SubnetIds` of a network that reaches the AWS services", parameters: ownNetwork,
		consequence: "the network's own NAT gateway or endpoints carry the calls",
	},
	{
		what: "the database", how: "`DatabaseIdentifier=…`, with its network", parameters: givenDatabase,
		consequence: "a cluster that is paid for already; proxy, keys and alarms stay",
	},
	{
		what: "the proxy", how: "`DatabaseProxy=false`", parameters: map[string]string{"DatabaseProxy": "false"},
		consequence: "[connections](#the-proxy-and-its-connections); a fail-over is seen by clients",
	},
	{
		what: "Aurora and the proxy", how: "`DatabaseKind=instance`, `DatabaseProxy=false`, `DatabaseReader=false`: " + instanceClass + " with 50 GB",
		parameters:  map[string]string{"DatabaseKind": "instance", "DatabaseProxy": "false", "DatabaseReader": "false"},
		consequence: "no growth with the load, burst credits instead of capacity; prod's standby serves no queries",
	},
	{
		what: "alarms and dashboard", how: "no parameter: remove them and the rollback alarms of the functions",
		lines: []string{"alarms", "dashboard"}, consequence: "a broken version is not rolled back, and failures are found by users",
	},
}

// omissionRows returns what each omission saves in a month, in both stages.
func (c calculator) omissionRows() ([]omissionRow, error) {
	var rows []omissionRow
	for _, o := range omissionTable {
		dev, devErr := c.saving("dev", o)
		prod, err := c.saving("prod", o)
		if err := errors.Join(devErr, err); err != nil {
			return nil, fmt.Errorf("without %s: %w", o.what, err)
		}
		rows = append(rows, omissionRow{o.what, o.how, o.consequence, formatUSD(dev), formatUSD(prod)})
	}
	return rows, nil
}

// saving returns what an omission saves in a month, in USD.
func (c calculator) saving(stage string, o omission) (float64, error) {
	before, err := c.lines(stage, nil, idleLines)
	if err != nil {
		return 0, err
	}
	if o.parameters == nil {
		return c.sum(slices.DeleteFunc(before, func(l line) bool { return !slices.Contains(o.lines, l.name) }))
	}
	after, err := c.lines(stage, o.parameters, idleLines)
	if err != nil {
		return 0, err
	}
	usdBefore, beforeErr := c.sum(before)
	usdAfter, err := c.sum(after)
	return roundCents(usdBefore - usdAfter), errors.Join(beforeErr, err)
}

// maxConnections is the default of max_connections of Aurora PostgreSQL by the maximum capacity of a
// Serverless v2 instance, in ACU, from AWS's table:
// https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2.setting-capacity.html#aurora-serverless-v2.max-connections
// (read 2026-06-03 in a public copy, and from https://repost.aws/articles/ARm5e6RHE3R4mnHS2S-UZUwA for 1, 16 and 32).
var maxConnections = []struct{ capacity, connections int }{{1, 189}, {4, 823}, {8, 1669}, {16, 3360}, {32, 5000}}

const (
	// connectionCap is the limit of max_connections if the minimum capacity is 0 or 0.5 ACU, of the same table.
	connectionCap = 2000
	// sandboxConnections is the default of DATASTORAGE_DATABASE_MAX_CONNS.
	sandboxConnections = 2
	// proxyPercent is MaxConnectionsPercent of the template's proxy.
	proxyPercent = 90
)

type connectionRow struct {
	Capacity, Connections, Capped, Sandboxes, CappedSandboxes, Borrowed, CappedBorrowed int
}

// connectionRows returns for each maximum capacity how many sandboxes may exist without a proxy, and how
// many requests may be in a transaction with it.
func connectionRows() []connectionRow {
	var rows []connectionRow
	for _, limit := range maxConnections {
		capped := min(limit.connections, connectionCap)
		rows = append(rows, connectionRow{
			Capacity: limit.capacity, Connections: limit.connections, Capped: capped, Sandboxes: limit.connections / sandboxConnections,
			CappedSandboxes: capped / sandboxConnections, Borrowed: limit.connections * proxyPercent / 100, CappedBorrowed: capped * proxyPercent / 100,
		})
	}
	return rows
}
