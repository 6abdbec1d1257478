package bench

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/weirstream/weir/connectors"
	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/local"
	"github.com/weirstream/weir/stream"
)

// pause is how long the job is left alone between two records: enough for every goroutine to park.
const pause = 2 * time.Millisecond

// latency sends records one at a time through an idle job, source → exchange → sink, and returns the median time from
// the call of Wake to the sink's Write.
func latency(records int) (time.Duration, error) {
	bell := &bell{ready: make(chan func(), 1)}
	arrived := make(chan time.Time, 1)
	job := stream.NewJob("latency")
	sink := newDigest(func(*Event) uint64 { arrived <- time.Now(); return 0 })
	stream.From(job, bell, stream.NoWatermarks[Event]()).Rebalance().To(sink)
	x, err := local.Start(job, local.Config{})
	if err != nil {
		return 0, err
	}
	defer x.Close()
	var wake func()
	select {
	case wake = <-bell.ready:
	case <-x.Done():
		_, err := x.Wait()
		return 0, err
	}
	took := make([]time.Duration, records)
	for i := range took {
		time.Sleep(pause)
		begun := time.Now()
		bell.rung.Add(1)
		wake()
		select {
		case at := <-arrived:
			took[i] = at.Sub(begun)
		case <-x.Done():
			_, err := x.Wait()
			return 0, err
		}
	}
	slices.Sort(took)
	x.Cancel()
	_, err = x.Wait()
	return took[records/2], err
}

// bell is a source that emits one record for each time that it was rung. It does so from its only split.
type bell struct {
	rung  atomic.Int64
	ready chan func() // gets the reader's Wake once it waits
}

// Check implements connectors.Source.
func (b *bell) Check() error { return nil }

// Bounded implements connectors.Source.
func (b *bell) Bounded() bool { return false }

// Enumerator implements connectors.Source.
func (b *bell) Enumerator() (connectors.Enumerator, error) {
	return connectors.Fixed(connectors.Eager, []connectors.Split{{ID: "bell", Watermark: flow.MinTime}}), nil
}

// Reader implements connectors.Source.
func (b *bell) Reader(ctx connectors.ReaderContext) (connectors.Reader[Event], error) {
	return &bellReader{bell: b, wake: ctx.Wake}, nil
}

// bellReader is reader and split reader at once.
type bellReader struct {
	bell  *bell
	wake  func()
	heard int64
	told  bool
	v     Event
}

// Open implements connectors.Reader.
func (r *bellReader) Open(connectors.Split) (connectors.SplitReader[Event], error) { return r, nil }

// Poll implements connectors.SplitReader.
func (r *bellReader) Poll(most int, emit func(v *Event, t flow.Time)) (connectors.Status, flow.Time, error) {
	if !r.told {
		r.told = true
		r.bell.ready <- r.wake
	}
	for range min(int64(most), r.bell.rung.Load()-r.heard) {
		r.heard++
		r.v.Value = r.heard
		emit(&r.v, flow.MinTime)
	}
	return connectors.Idle, flow.MaxTime, nil
}

// Position implements connectors.SplitReader.
func (r *bellReader) Position() []byte { return nil }

// Close implements connectors.Reader and connectors.SplitReader.
func (r *bellReader) Close() error { return nil }
