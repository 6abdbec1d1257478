// Package timeservice keeps time for the layers that may not read the wall clock: the passed Clock, the timers of keyed
// operators, the watermark strategies of sources, and the merging of watermarks.
//
// Read in this order: clock.go, timers.go (frozen.go writes them down), merger.go, watermark.go.
//
// Everything here runs on the goroutine of the subtask that owns it, but for Clock, which any goroutine may call, and
// Frozen, which the goroutine of a checkpoint's upload reads.
//
//	I1  A timer is registered at most once for the same (time, key, namespace).
//	I2  Timers fire in the order (time, key, namespace), as far as they were registered when the firing got there.
//	I3  A watermark strategy never goes back, and neither does a merger.
package timeservice
