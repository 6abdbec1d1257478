package actors

import (
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/weirstream/weir/flow"
)

// Outbox is the sending side of a subtask: its channels, their credit, and what waits for credit. The subtask's goroutine
// uses it; consumers touch credit and free lists only, through Recycle.
type Outbox struct {
	channels []*channel
	// blocked is how many channels have no credit. While it is above 0 the subtask takes no frames.
	blocked atomic.Int32
	waiting int // elements queued in all channels
	wake    func()
	send    func(to *actor.PID, f *flow.Frame)
}

// channel is one output channel: where it leads, what it may send, and the batches it gets back.
type channel struct {
	outbox *Outbox
	to     *actor.PID
	lane   int
	seq    uint64
	credit atomic.Int32
	queue  []flow.Element // waits for credit; bounded by what one turn can produce
	free   chan *flow.Frame
}

// newOutbox makes an outbox. wake is called, on any goroutine, when credit has come back to a blocked outbox.
func newOutbox(wake func(), send func(to *actor.PID, f *flow.Frame)) *Outbox {
	return &Outbox{wake: wake, send: send}
}

// connect adds a channel that leads to a lane of the subtask at to, and returns its number.
func (o *Outbox) connect(to *actor.PID, lane int) *channel {
	c := &channel{outbox: o, to: to, lane: lane, free: make(chan *flow.Frame, laneCapacity+1)}
	c.credit.Store(laneCapacity)
	o.channels = append(o.channels, c)
	return c
}

// Full reports whether some channel has no credit left.
func (o *Outbox) Full() bool { return o.blocked.Load() > 0 }

// Drain sends what waits, as far as credit has come back, and reports whether nothing waits and no channel is blocked.
func (o *Outbox) Drain() bool {
	if o.waiting > 0 {
		o.drain()
	}
	return o.waiting == 0 && !o.Full()
}

func (o *Outbox) drain() {
	for _, c := range o.channels {
		n := 0
		for n < len(c.queue) && c.credit.Load() > 0 {
			c.transmit(c.queue[n])
			c.queue[n] = nil
			n++
		}
		if n > 0 {
			o.waiting -= n
			c.queue = append(c.queue[:0], c.queue[n:]...)
		}
	}
}

// edge is the channels of one output edge of a subtask: operators.Shipper.
type edge struct{ channels []*channel }

// Empty implements operators.Shipper.
func (e *edge) Empty(i int) flow.Batch {
	c := e.channels[i]
	for {
		select {
		case f := <-c.free:
			if b, ok := f.Element.(flow.Batch); ok {
				b.Reset()
				return b
			}
		default:
			return nil
		}
	}
}

// Ship implements operators.Shipper.
func (e *edge) Ship(i int, el flow.Element) {
	c := e.channels[i]
	if len(c.queue) > 0 || c.credit.Load() <= 0 {
		c.queue = append(c.queue, el)
		c.outbox.waiting++
		return
	}
	c.transmit(el)
}

func (c *channel) transmit(e flow.Element) {
	c.seq++
	f := &flow.Frame{Lane: c.lane, Seq: c.seq, Element: e, Origin: c}
	if c.credit.Add(-1) == 0 {
		c.outbox.blocked.Add(1)
	}
	c.outbox.send(c.to, f)
}

// Recycle implements flow.Origin.
func (c *channel) Recycle(f *flow.Frame) {
	if _, ok := f.Element.(flow.Batch); ok {
		select {
		case c.free <- f:
		default:
		}
	}
	if c.credit.Add(1) == 1 {
		// Wake even when other channels are blocked still: what waits for this one may be the barrier that they wait for.
		c.outbox.blocked.Add(-1)
		c.outbox.wake()
	}
}
