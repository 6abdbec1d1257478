package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/weirstream/weir/connectors"
	"github.com/weirstream/weir/local"
	"github.com/weirstream/weir/scheduler"
	"github.com/weirstream/weir/stream"
)

// run runs a job to its end. A job that had to restart would have been measured wrongly, and so fails.
func run(job *stream.Job, parallelism int, checkpoints time.Duration) error {
	cfg := local.Config{Parallelism: parallelism, CheckpointInterval: checkpoints}
	never := scheduler.DefaultRestartConfig()
	never.Type = scheduler.NoRestart
	cfg.Restart = &never
	r, err := local.Run(context.Background(), job, cfg)
	if err != nil {
		return err
	}
	if r.State != scheduler.Finished {
		return fmt.Errorf("job %s ended as %v, not as finished", job.Name(), r.State)
	}
	return nil
}

func keyOf(v *Event) int64 { return v.Key }

// totals is count and sum; with all that sliding windows can use.
func totals() stream.Aggregate[Event, Total] {
	return stream.Aggregate[Event, Total]{Add: (*Total).add, Merge: (*Total).merge, Retract: (*Total).retract}
}

// windowed counts and sums per key and window.
func windowed(n int64, f fill[Event], splits int, windows stream.WindowAssigner, to connectors.Sink[Result]) *stream.Job {
	job, in := from("windowed", n, f, splits)
	stream.AggregateWindow(stream.KeyBy(in, keyOf).Window(windows), totals(),
		func(w *stream.WindowResult[int64], t *Total) Result {
			return Result{w.Key, int64(w.Window.End), t.Count, t.Sum}
		}).To(to)
	return job
}

// running keeps a running sum of each key, and emits it with every record.
func running(n int64, f fill[Event], to connectors.Sink[Result]) *stream.Job {
	job, in := from("running", n, f, 1)
	stream.Fold(stream.KeyBy(in, keyOf), totals(), func(key int64, t *Total) Result {
		return Result{Key: key, Count: t.Count, Sum: t.Sum}
	}).To(to)
	return job
}

// runningInGoMap is running with a Go map of the user's instead of state; of course it cannot recover.
func runningInGoMap(n int64, f fill[Event], to connectors.Sink[Result]) *stream.Job {
	job, in := from("running-go-map", n, f, 1)
	stream.ProcessKeyed(stream.KeyBy(in, keyOf), func() stream.KeyedProcessSpec[int64, Event, Result] {
		sums := map[int64]Total{}
		return stream.KeyedProcessSpec[int64, Event, Result]{Process: func(c *stream.KeyedContext[int64, Result], v *Event) {
			t := sums[v.Key]
			t.add(v)
			sums[v.Key] = t
			c.Emit(Result{Key: v.Key, Count: t.Count, Sum: t.Sum})
		}}
	}).To(to)
	return job
}

// The user functions of the stateless job and of its loop.
func priced(v *Wide) Wide {
	w := *v
	w.Sum = w.Price * w.Count
	return w
}
func kept(v *Wide) bool { return v.Sum&7 != 0 }
func taxed(v *Wide) Wide {
	w := *v
	w.Tax = w.Sum / 5
	w.Flags = w.Region ^ w.Shop
	return w
}
func foldWide(v *Wide) uint64 { return mix(uint64(v.ID + v.Tax<<20 + v.Flags<<40)) }

// stateless is map, filter, map.
func stateless(n int64, to connectors.Sink[Wide]) *stream.Job {
	job, in := from("stateless", n, wideEvents, 1)
	stream.Map(stream.Map(in, priced).Filter(kept), taxed).To(to)
	return job
}

// direct has its sink chained to its source.
func direct(n int64, f fill[Event], to connectors.Sink[Event]) *stream.Job {
	job, in := from("direct", n, f, 1)
	in.To(to)
	return job
}

// exchanged has one exchange between source and sink.
func exchanged(n int64, f fill[Event], to connectors.Sink[Event]) *stream.Job {
	job, in := from("exchanged", n, f, 1)
	in.Rebalance().To(to)
	return job
}
func foldEvent(v *Event) uint64 { return uint64(v.Key) + uint64(v.Value)<<32 }
