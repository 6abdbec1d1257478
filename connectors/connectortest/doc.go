// Package connectortest drives connectors through their contract as the engine would, with restores and crashes at every
// step, and compares what comes out. A connector is done when it passes VerifySource or VerifySink.
//
// Read in this order: source.go, sink.go.
//
// Who runs it: tests, on one goroutine.
package connectortest
