package auction

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/weirstream/weir/connectors/files"
	"github.com/weirstream/weir/connectors/generator"
	"github.com/weirstream/weir/stream"
)

// The windows, in milliseconds of event time. The plain loop wants the size to be a multiple of the slide.
const (
	sizeMillis  stream.Time = 10_000
	slideMillis stream.Time = 2_000
)

// Config is what can be set on the job.
type Config struct {
	Events    int64  // how many are made; 0 for no end
	Rate      int64  // events a second of wall time; 0 for as fast as possible
	EventRate int64  // events in a second of event time
	Seed      uint64 // of the events
	Splits    int    // how many subtasks can make events side by side
	Output    string // directory of the results
}

func (c Config) check() error {
	switch {
	case c.Events < 0 || c.Rate < 0:
		return fmt.Errorf("auction: events %d and rate %d must not be below 0", c.Events, c.Rate)
	case c.EventRate < 1 || c.Splits < 1:
		return fmt.Errorf("auction: eventRate %d and splits %d must be 1 or more", c.EventRate, c.Splits)
	case c.Output == "":
		return errors.New("auction: output: the directory of the results is missing")
	}
	return nil
}

func (c Config) nexmark() Nexmark { return Nexmark{Seed: c.Seed, EventRate: c.EventRate} }

// Hottest is an auction that got the most bids between Start and End, End excluded. Several may have got as many.
type Hottest struct {
	Start   stream.Time `json:"start"`
	End     stream.Time `json:"end"`
	Auction int64       `json:"auction"`
	Bids    int64       `json:"bids"`
	Price   int64       `json:"price"` // the highest, in cents
}

// Build makes the job: how many bids each auction got in the last 10 seconds, every 2 seconds, and of those the most.
func Build(c Config) (*stream.Job, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	job := stream.NewJob("auction")
	options := []generator.Option{generator.Splits(c.Splits)}
	if c.Rate > 0 {
		options = append(options, generator.Rate(float64(c.Rate)))
	}
	events := stream.From(job, generator.New(c.Events, c.nexmark().Fill, options...), stream.Monotonous[Event](), stream.Name("nexmark"), stream.UID("nexmark"))
	bids := stream.Map(events.Filter(func(e *Event) bool { return e.Kind == BidEvent }), func(e *Event) Bid { return e.Bid }, stream.Name("bids"))

	windows := stream.SlidingWindow(millis(sizeMillis), millis(slideMillis))
	counts := stream.AggregateWindow(stream.KeyBy(bids, func(b *Bid) int64 { return b.Auction }).Window(windows),
		stream.Aggregate[Bid, tally]{Add: (*tally).add, Merge: (*tally).merge}, auctionResult,
		stream.Name("bids per auction"), stream.UID("bids-per-auction"))

	// The results of one window all have the time of its last millisecond, so they are in one window of the slide's length.
	hottest := stream.AggregateWindow(stream.KeyBy(counts, func(h *Hottest) stream.Time { return h.End }).Window(stream.TumblingWindow(millis(slideMillis))),
		stream.Aggregate[Hottest, top]{Add: (*top).add}, func(_ *stream.WindowResult[stream.Time], t *top) top { return t.sorted() },
		stream.Name("hottest"), stream.UID("hottest"))
	stream.FlatMap(hottest, func(t *top, out *stream.Collector[Hottest]) {
		for i := range t.Auctions {
			out.EmitRef(&t.Auctions[i])
		}
	}, stream.Name("ties")).To(files.JSONSink[Hottest](c.Output), stream.Name("output"), stream.UID("output"))
	return job, nil
}

func millis(t stream.Time) time.Duration { return time.Duration(t) * time.Millisecond }

// tally is what is known of an auction in a window.
type tally struct{ Bids, Price int64 }

func (t *tally) add(b *Bid)     { t.merge(&tally{1, b.Price}) }
func (t *tally) merge(o *tally) { t.Bids, t.Price = t.Bids+o.Bids, max(t.Price, o.Price) }

func auctionResult(w *stream.WindowResult[int64], t *tally) Hottest {
	return Hottest{Start: w.Window.Start, End: w.Window.End, Auction: w.Key, Bids: t.Bids, Price: t.Price}
}

// top is the auctions of a window with the most bids.
type top struct{ Auctions []Hottest }

func (t *top) add(h *Hottest) {
	if len(t.Auctions) > 0 && h.Bids > t.Auctions[0].Bids {
		t.Auctions = t.Auctions[:0]
	}
	if len(t.Auctions) == 0 || h.Bids == t.Auctions[0].Bids {
		t.Auctions = append(t.Auctions, *h)
	}
}

// sorted is a copy in an order that does not depend on that of the records.
func (t *top) sorted() top {
	return top{slices.SortedFunc(slices.Values(t.Auctions), func(a, b Hottest) int { return cmp.Compare(a.Auction, b.Auction) })}
}
