// Package local runs a job in this process: with the same actors, slots, credits, attempts and checkpoints that a cluster
// uses, and nothing to set up.
//
//	result, err := local.Run(ctx, job, local.Config{Parallelism: 2})
//
// Read in this order: config.go, execution.go.
//
// Any goroutine may use an Execution. The actors run on goroutines of their own, all of which have ended when Wait and
// Close have returned.
package local
