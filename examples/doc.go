// Package examples lists the example jobs, with the parameters that they can be run with.
//
// Read in this order: wordcount (the smallest job), auction (windows over windows, at speed), commits (late records,
// sessions, side outputs), connector (a source and a sink of one's own), then jobs.go and params.go here. Package verify
// compares outputs.
//
// Who runs it: package local and nodes take jobs from All. Invariants:
//
//	I1  A job with output has a Verify that computes the same without the engine.
//	I2  Build reads and writes nothing: it only wires.
package examples
