package operators

import (
	"fmt"
	"math/rand/v2"
	"unsafe"

	"github.com/weirstream/weir/flow"
)

// Partition implements OutputPort: it puts the tail of a chain behind this output.
func (o *Output[T]) Partition(spec PartitionSpec, ship Shipper) (Partition, error) {
	p := &exchange[T]{
		ship: ship,
		open: make([]*flow.Records[T], spec.Channels),
		told: make([]flow.Time, spec.Channels),
		wm:   flow.MinTime,
		max:  batchRecords(unsafe.Sizeof(*new(T))),
	}
	for i := range p.told {
		p.told[i] = flow.MinTime
	}
	next, err := p.route(spec)
	if err != nil {
		return nil, err
	}
	o.targets = append(o.targets, func() Next[T] { return next })
	return p, nil
}

// batchRecords is how many records of size bytes a batch holds.
func batchRecords(size uintptr) int {
	const timeBytes = 8
	return max(minBatchRecords, min(BatchRecords, BatchBytes/int(size+timeBytes)))
}

// exchange is the typed Partition. Every channel has at most one open batch.
type exchange[T any] struct {
	ship    Shipper
	open    []*flow.Records[T]
	told    []flow.Time // per channel: the watermark it was told, in an open batch or a shipped one
	wm      flow.Time
	idle    bool
	max     int
	records int64
}

// route picks the function that a record enters by. With one channel every strategy but Custom is the same.
func (p *exchange[T]) route(spec PartitionSpec) (Next[T], error) {
	n := spec.Channels
	if n < 1 {
		return nil, fmt.Errorf("%v: no channels", spec.Strategy)
	}
	switch spec.Strategy {
	case Custom:
		pick, ok := spec.Route.(func(*T, int) int)
		if !ok {
			return nil, fmt.Errorf("CUSTOM: the partitioner is a %T", spec.Route)
		}
		return func(v *T, t flow.Time) {
			c := pick(v, n)
			if uint(c) >= uint(n) {
				panic(fmt.Errorf("custom partitioner returned channel %d of %d", c, n))
			}
			p.add(c, v, t)
		}, nil
	case Broadcast:
		return func(v *T, t flow.Time) {
			for c := range p.open {
				p.add(c, v, t)
			}
		}, nil
	}
	if n == 1 || spec.Strategy == Forward || spec.Strategy == First {
		return func(v *T, t flow.Time) { p.add(0, v, t) }, nil
	}
	switch spec.Strategy {
	case Hash:
		return p.hash(spec)
	case Rebalance, Rescale:
		c := spec.Subtask % n
		return func(v *T, t flow.Time) {
			p.add(c, v, t)
			if c++; c == n {
				c = 0
			}
		}, nil
	case Shuffle:
		rng := rand.New(rand.NewPCG(uint64(spec.Subtask), uint64(n)))
		return func(v *T, t flow.Time) { p.add(rng.IntN(n), v, t) }, nil
	}
	return nil, fmt.Errorf("unknown partition strategy %v", spec.Strategy)
}

func (p *exchange[T]) hash(spec PartitionSpec) (Next[T], error) {
	hash, ok := spec.Route.(func(*T) uint64)
	if !ok {
		return nil, fmt.Errorf("HASH: the key function is a %T", spec.Route)
	}
	groups := spec.MaxParallelism
	channel := make([]uint16, groups)
	for g := range channel {
		channel[g] = uint16(flow.SubtaskOf(g, spec.Channels, groups))
	}
	return func(v *T, t flow.Time) { p.add(int(channel[flow.KeyGroup(hash(v), groups)]), v, t) }, nil
}

// add appends a record to the open batch of channel c. It is the hot path of every exchange.
func (p *exchange[T]) add(c int, v *T, t flow.Time) {
	b := p.open[c]
	if b == nil {
		b = p.begin(c)
	}
	if p.told[c] != p.wm {
		p.told[c] = p.wm
		b.Marks = append(b.Marks, flow.Mark{At: len(b.Values), Time: p.wm})
	}
	b.Values = append(b.Values, *v)
	b.Times = append(b.Times, t)
	if len(b.Values) >= p.max {
		p.close(c)
	}
}

func (p *exchange[T]) begin(c int) *flow.Records[T] {
	p.idle = false
	b, ok := p.ship.Empty(c).(*flow.Records[T])
	if !ok {
		b = flow.NewRecords[T](p.max)
	}
	p.open[c] = b
	return b
}

func (p *exchange[T]) close(c int) {
	b := p.open[c]
	p.open[c] = nil
	p.records += int64(len(b.Values))
	p.ship.Ship(c, b)
}

func (p *exchange[T]) Watermark(w flow.Watermark) {
	p.wm = max(p.wm, w.Time)
	if w.Idle && !p.idle {
		p.Broadcast(flow.Watermark{Time: p.wm, Idle: true})
		p.idle = true
	} else if !w.Idle && p.idle {
		p.idle = false
		for c := range p.told {
			p.told[c] = flow.MinTime // an idle channel is awake again only when it is told a watermark
		}
	}
}

func (p *exchange[T]) Flush() {
	for c, b := range p.open {
		switch {
		case b != nil:
			if p.told[c] != p.wm {
				b.Marks = append(b.Marks, flow.Mark{At: len(b.Values), Time: p.wm})
				p.told[c] = p.wm
			}
			p.close(c)
		case p.told[c] != p.wm:
			p.told[c] = p.wm
			p.ship.Ship(c, flow.Watermark{Time: p.wm})
		}
	}
}

func (p *exchange[T]) Open() bool {
	for c, b := range p.open {
		if b != nil || p.told[c] != p.wm {
			return true
		}
	}
	return false
}

func (p *exchange[T]) Broadcast(e flow.Element) {
	p.Flush()
	for c := range p.open {
		p.ship.Ship(c, e)
	}
}

func (p *exchange[T]) Records() int64 {
	n := p.records
	for _, b := range p.open {
		if b != nil {
			n += int64(len(b.Values))
		}
	}
	return n
}
