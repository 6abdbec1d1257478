package checkpoint

import (
	"errors"
	"fmt"

	"github.com/weirstream/weir/flow"
)

// Retention says what becomes of a job's checkpoints when the job is cancelled or has finished.
type Retention uint8

const (
	// RetainOnCancel keeps them: they belong to the user from then on.
	RetainOnCancel Retention = iota
	// DeleteOnCancel deletes them, but for one that was taken to stop the job.
	DeleteOnCancel
)

func (r Retention) String() string {
	switch r {
	case RetainOnCancel:
		return "retain"
	case DeleteOnCancel:
		return "delete"
	}
	return fmt.Sprintf("Retention(%d)", uint8(r))
}

// ParseRetention reads what String prints.
func ParseRetention(s string) (Retention, error) {
	switch s {
	case "retain":
		return RetainOnCancel, nil
	case "delete":
		return DeleteOnCancel, nil
	}
	return 0, fmt.Errorf("%q says not what becomes of checkpoints on cancel: use retain or delete", s)
}

// Limits of the options, and the coordinator's own.
const (
	// MinInterval, in ms: below it a job does nothing but checkpoints. It bounds the time-out too.
	MinInterval flow.Time = 10
	// MaxPeriod, in ms, is a year: longer ones are a mistake of units.
	MaxPeriod flow.Time = 366 * 24 * 3600 * 1000
	// MaxRetained bounds the checkpoints that are kept; each is listed whenever one completes.
	MaxRetained = 1000
	// MaxTolerable is as good as "any number".
	MaxTolerable = 1 << 30
	// MaxRequests bounds the requests that wait for a checkpoint. They come from people: more are a loop.
	MaxRequests = 64
	// MaxDeleting bounds the deletions that were not confirmed; beyond it the oldest is left to Clean.
	MaxDeleting = 256
	// MaxDoubts bounds the manifests of which it is not known whether they exist: a store that answers neither writes nor
	// deletes is not asked for more checkpoints.
	MaxDoubts = 16
	// LastRetry, in ms, is the wait before a Stop or Final checkpoint that failed is tried again.
	LastRetry flow.Time = 1000
	// DeleteRetry, in ms, is the wait before a deletion that failed is tried again.
	DeleteRetry flow.Time = 10_000
)

// Config says when checkpoints are taken and how long they are kept. Periods are in milliseconds (flow.Duration
// converts).
type Config struct {
	// Interval from the start of one checkpoint to the start of the next; 0 takes only those that are asked for.
	// execution.checkpointing.interval
	Interval flow.Time
	// MinPause from the end of a checkpoint, complete or not, to the start of the next periodic one.
	// execution.checkpointing.min-pause
	MinPause flow.Time
	// Timeout from the start of a checkpoint to the last acknowledgement. execution.checkpointing.timeout
	Timeout flow.Time
	// Tolerable is how many checkpoints may fail in a row before the job fails. Those that a restart of the job cut short
	// do not count. execution.checkpointing.tolerable-failed-checkpoints
	Tolerable int
	// Retained is how many completed checkpoints are kept. execution.checkpointing.num-retained
	Retained int
	// OnCancel says what becomes of them at the job's end. execution.checkpointing.externalized-checkpoint-retention
	OnCancel Retention
}

// DefaultConfig has Flink's defaults, but that it keeps checkpoints on cancel: no periodic checkpoints, ten minutes, no
// failure tolerated, one retained.
func DefaultConfig() Config { return Config{Timeout: 10 * 60 * 1000, Retained: 1} }

// Validate lists every mistake, each by its key.
func (c Config) Validate() error {
	var errs []error
	bad := func(key, format string, a ...any) {
		errs = append(errs, fmt.Errorf("execution.checkpointing.%s: %s", key, fmt.Sprintf(format, a...)))
	}
	if c.Interval != 0 && (c.Interval < MinInterval || c.Interval > MaxPeriod) {
		bad("interval", "%d ms is not within %d ms to a year; 0 turns periodic checkpoints off", c.Interval, MinInterval)
	}
	if c.MinPause < 0 || c.MinPause > MaxPeriod {
		bad("min-pause", "%d ms is not within 0 to a year", c.MinPause)
	}
	if c.Timeout < MinInterval || c.Timeout > MaxPeriod {
		bad("timeout", "%d ms is not within %d ms to a year", c.Timeout, MinInterval)
	}
	if c.Tolerable < 0 || c.Tolerable > MaxTolerable {
		bad("tolerable-failed-checkpoints", "%d is not within 0 to %d", c.Tolerable, MaxTolerable)
	}
	if c.Retained < 1 || c.Retained > MaxRetained {
		bad("num-retained", "%d is not within 1 to %d", c.Retained, MaxRetained)
	}
	if c.OnCancel > DeleteOnCancel {
		bad("externalized-checkpoint-retention", "%v is neither retain nor delete", c.OnCancel)
	}
	return errors.Join(errs...)
}
