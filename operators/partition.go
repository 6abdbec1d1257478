package operators

import (
	"fmt"

	"github.com/weirstream/weir/flow"
)

// Limits of a channel's batches: whichever is reached first closes a batch. They bound, with the credit, the memory of
// an exchange.
const (
	BatchRecords = 1024
	BatchBytes   = 64 << 10
	// minBatchRecords keeps wide records from travelling alone: a batch has room for at least so many.
	minBatchRecords = 16
)

// Strategy says how records find their channel.
type Strategy uint8

const (
	// Forward sends to the one channel of the same index.
	Forward Strategy = iota
	// Hash sends to the subtask that owns the record's key group.
	Hash
	// Rebalance goes round robin over all channels.
	Rebalance
	// Rescale goes round robin over the channels that the job graph gave this subtask: a share of all.
	Rescale
	// Shuffle picks a channel at random, from a generator seeded by the subtask.
	Shuffle
	// Broadcast sends every record to every channel.
	Broadcast
	// First sends all to the first channel.
	First
	// Custom asks a function of the user's.
	Custom
)

var strategyNames = [...]string{"FORWARD", "HASH", "REBALANCE", "RESCALE", "SHUFFLE", "BROADCAST", "GLOBAL", "CUSTOM"}

func (s Strategy) String() string {
	if int(s) < len(strategyNames) {
		return strategyNames[s]
	}
	return fmt.Sprintf("Strategy(%d)", uint8(s))
}

// PartitionSpec says how one output of one subtask is spread over its channels.
type PartitionSpec struct {
	Strategy Strategy
	// Channels is how many channels there are.
	Channels int
	// MaxParallelism is the number of key groups of the consumer; for Hash.
	MaxParallelism int
	// Subtask seeds Shuffle and staggers Rebalance.
	Subtask int
	// Route is, for Hash, a func(*T) uint64 that hashes the record's key, and for Custom a func(v *T, channels int) int.
	Route any
}

// Shipper takes filled batches and signals from a partition, and gives empty batches back.
type Shipper interface {
	// Empty returns a recycled batch of the channel, or nil when there is none.
	Empty(channel int) flow.Batch
	// Ship sends e down channel. It never blocks: what has no credit waits in the outbox.
	Ship(channel int, e flow.Element)
}

// Partition is the tail of a chain: typed records in, erased batches out.
type Partition interface {
	// Watermark notes that event time has come to w for every channel. It travels with the next batch, or with Flush.
	Watermark(w flow.Watermark)
	// Flush ships what is open, records and watermarks, on every channel.
	Flush()
	// Open reports whether something waits for Flush.
	Open() bool
	// Broadcast flushes and then ships e on every channel.
	Broadcast(e flow.Element)
	// Records is the number of records taken so far.
	Records() int64
}
