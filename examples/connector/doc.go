// Package connector shows how to write connectors of one's own: a source and a sink that know nothing but the contract in
// package connectors.
//
// Read in this order: gaps.go (a source of numbers, in splits), ledger.go (a sink to a store with transactions, exactly
// once), connector_test.go (both driven by hand, with a restore in the middle, and by connectortest).
//
// Who runs it: the engine, as the contract says. Nothing here starts a goroutine.
package connector
