package operators

import "sync/atomic"

// Counters are what an operator counts beside its records: single writer, any reader.
type Counters struct {
	// LateDropped counts the records that came after the watermark had passed all they belong to.
	LateDropped atomic.Int64
	// Rejected counts the input that could not be read as a record.
	Rejected atomic.Int64
	// Fired counts windows and timers that have fired.
	Fired atomic.Int64
}
