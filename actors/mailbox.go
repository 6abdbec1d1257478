package actors

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/timeservice"
)

// Hooks are what a mailbox asks its actor between two messages, on the goroutine that processes them. They must not block
// and must not call back into the mailbox.
type Hooks interface {
	// Open sends what waits for credit, as far as that has come back, and reports whether frames may be taken: nothing
	// waits and all outputs have credit.
	Open() bool
	// Next is asked when there is neither a control message nor an open gate's frame to take, and before frames when
	// something is pending. It returns a message to deliver, or nil.
	Next(pendingOnly bool) any
}

// Mailbox is the mailbox of all of Weir's actors. A subtask's has a bounded lane for each input channel; the others have
// none. Order: system messages (never bounded), then control messages (never bounded, low rate), then, while Hooks.Open,
// frames of the lanes that are not held, round robin, then what Hooks.Next wants done.
type Mailbox struct {
	mu        sync.Mutex
	system    fifo
	control   fifo
	lanes     []lane
	next      int // lane to look at first
	frames    int // in all lanes that are not held
	suspended bool
	scheduled atomic.Int32
	wakes     atomic.Uint32
	queued    atomic.Int32

	hooks      Hooks // nil for actors without lanes and polling
	onStop     func()
	invoker    actor.MessageInvoker
	dispatcher actor.Dispatcher
	meter      *Meter
}

// lane is a bounded ring of frames.
type lane struct {
	ring    []*flow.Frame
	head, n int
	held    bool
	seq     uint64 // of the newest frame
}

// fifo is a queue that keeps its memory.
type fifo struct {
	items []any
	head  int
}

func (q *fifo) push(m any)  { q.items = append(q.items, m) }
func (q *fifo) empty() bool { return q.head == len(q.items) }
func (q *fifo) pop() any {
	m := q.items[q.head]
	q.items[q.head] = nil
	if q.head++; q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
	}
	return m
}

// laneCapacity is how many frames a lane holds: the credit of its channel. Eight batches keep both ends busy while one of
// them is away for a turn; more only adds latency and memory.
const laneCapacity = 8

// newMailbox makes a mailbox. onStop, if not nil, is called on the poster's goroutine when the actor is told to stop or
// restart, to cancel what its Receive may be blocked in.
func newMailbox(lanes int, hooks Hooks, onStop func(), meter *Meter) *Mailbox {
	m := &Mailbox{lanes: make([]lane, lanes), hooks: hooks, onStop: onStop, meter: meter}
	for i := range m.lanes {
		m.lanes[i].ring = make([]*flow.Frame, laneCapacity)
	}
	return m
}

// RegisterHandlers implements actor.Mailbox.
func (m *Mailbox) RegisterHandlers(i actor.MessageInvoker, d actor.Dispatcher) {
	m.invoker, m.dispatcher = i, d
}

// Start implements actor.Mailbox.
func (m *Mailbox) Start() {}

// UserMessageCount implements actor.Mailbox.
func (m *Mailbox) UserMessageCount() int { return int(m.queued.Load()) }

// PostSystemMessage implements actor.Mailbox.
func (m *Mailbox) PostSystemMessage(msg any) {
	switch msg.(type) {
	case *actor.Stop, *actor.Restart:
		if m.onStop != nil {
			m.onStop()
		}
	}
	m.mu.Lock()
	m.system.push(msg)
	m.mu.Unlock()
	m.Wake()
}

// PostUserMessage implements actor.Mailbox. Frames go to their lane, all else is control. It never blocks: a frame for
// which there is no room was sent without credit, and fails the actor.
func (m *Mailbox) PostUserMessage(msg any) {
	m.mu.Lock()
	if f, ok := msg.(*flow.Frame); ok {
		if fault := m.push(f); fault != "" {
			m.control.push(&protocolViolation{fault})
		}
	} else {
		m.control.push(msg)
	}
	m.mu.Unlock()
	m.queued.Add(1)
	m.Wake()
}

type protocolViolation struct{ what string }

func (m *Mailbox) push(f *flow.Frame) (fault string) {
	if uint(f.Lane) >= uint(len(m.lanes)) {
		return fmt.Sprintf("frame for lane %d of %d", f.Lane, len(m.lanes))
	}
	l := &m.lanes[f.Lane]
	switch {
	case l.n == len(l.ring):
		return fmt.Sprintf("lane %d: frame %d was sent without credit", f.Lane, f.Seq)
	case f.Seq != l.seq+1:
		return fmt.Sprintf("lane %d: frame %d came after frame %d", f.Lane, f.Seq, l.seq)
	}
	l.seq = f.Seq
	l.ring[(l.head+l.n)%len(l.ring)] = f
	l.n++
	if !l.held {
		m.frames++
	}
	return ""
}

// hold stops or starts taking frames from a lane. Only the mailbox's own actor calls it.
func (m *Mailbox) hold(i int, held bool) {
	m.mu.Lock()
	if l := &m.lanes[i]; l.held != held {
		l.held = held
		if held {
			m.frames -= l.n
		} else {
			m.frames += l.n
		}
	}
	m.mu.Unlock()
}

// Wake makes the mailbox look again at what it may do. Any goroutine may call it.
func (m *Mailbox) Wake() {
	m.wakes.Add(1)
	if m.scheduled.CompareAndSwap(0, 1) {
		m.dispatcher.Schedule(m.process)
	}
}

// process runs one pass, and schedules the next one while there is something to do. What others bring while the pass ends
// is not lost: they count a wake first and then try to schedule; the pass stops being scheduled first and then looks at
// the count.
func (m *Mailbox) process() {
	seen := m.wakes.Load()
	m.meter.begin()
	more := m.run()
	m.meter.end()
	if more {
		m.dispatcher.Schedule(m.process) // still scheduled: nobody else does
		return
	}
	m.scheduled.Store(0)
	if m.wakes.Load() != seen && m.scheduled.CompareAndSwap(0, 1) {
		m.dispatcher.Schedule(m.process)
	}
}

// run delivers messages until there are none, or the dispatcher's throughput is used up: then more is true.
func (m *Mailbox) run() (more bool) {
	var msg any
	defer func() {
		if r := recover(); r != nil { // a panic in Receive becomes a failure that the supervisor hears of
			m.invoker.EscalateFailure(failureOf(r), msg)
			more = true
		}
	}()
	for range max(1, m.dispatcher.Throughput()) {
		var system, ok bool
		msg, system, ok = m.pop()
		if !ok {
			return false
		}
		switch msg.(type) {
		case *actor.SuspendMailbox:
			m.suspend(true)
		case *actor.ResumeMailbox:
			m.suspend(false)
		default:
			if system {
				m.invoker.InvokeSystemMessage(msg)
			} else {
				m.invoker.InvokeUserMessage(msg)
			}
		}
	}
	return true
}

func (m *Mailbox) suspend(s bool) {
	m.mu.Lock()
	m.suspended = s
	m.mu.Unlock()
}

// pop takes the next message.
func (m *Mailbox) pop() (msg any, system, ok bool) {
	open := m.hooks == nil || m.hooks.Open()
	m.mu.Lock()
	switch {
	case !m.system.empty():
		msg = m.system.pop()
		m.mu.Unlock()
		return msg, true, true
	case m.suspended:
		m.mu.Unlock()
		return nil, false, false
	case !m.control.empty():
		msg = m.control.pop()
		m.mu.Unlock()
		m.queued.Add(-1)
		return msg, false, true
	case m.hooks == nil:
		m.mu.Unlock()
		return nil, false, false
	case !open:
		m.meter.blocked(m.frames > 0)
		m.mu.Unlock()
		return nil, false, false
	}
	m.mu.Unlock()
	if msg = m.hooks.Next(true); msg != nil {
		return msg, false, true
	}
	if f := m.popFrame(); f != nil {
		m.queued.Add(-1)
		return f, false, true
	}
	msg = m.hooks.Next(false)
	return msg, false, msg != nil
}

func (m *Mailbox) popFrame() *flow.Frame {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.frames == 0 {
		return nil
	}
	for range m.lanes {
		l := &m.lanes[m.next]
		if m.next++; m.next == len(m.lanes) {
			m.next = 0
		}
		if l.n > 0 && !l.held {
			f := l.ring[l.head]
			l.ring[l.head] = nil
			l.head = (l.head + 1) % len(l.ring)
			l.n--
			m.frames--
			return f
		}
	}
	panic("mailbox: frames are counted that are in no lane")
}

// Meter measures what share of the time a mailbox is busy, and how long it had frames that it could not take because the
// outputs were full. Written by the mailbox' goroutine, read by any.
type Meter struct {
	clock        timeservice.Clock
	started      int64
	blockedSince int64 // 0: not blocked
	busy         atomic.Int64
	backpressure atomic.Int64
}

func newMeter(clock timeservice.Clock) *Meter { return &Meter{clock: clock} }

func (m *Meter) begin() {
	if m == nil {
		return
	}
	m.started = m.clock.Nanos()
	if m.blockedSince != 0 {
		m.backpressure.Add(m.started - m.blockedSince)
		m.blockedSince = 0
	}
}

func (m *Meter) end() {
	if m == nil {
		return
	}
	now := m.clock.Nanos()
	m.busy.Add(now - m.started)
	if m.blockedSince != 0 {
		m.blockedSince = now
	}
}

// blocked notes that the pass ends because of full outputs.
func (m *Meter) blocked(waiting bool) {
	if m != nil && waiting {
		m.blockedSince = 1
	}
}
