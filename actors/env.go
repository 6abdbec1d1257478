package actors

import (
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/weirstream/weir/checkpoint"
	"github.com/weirstream/weir/timeservice"
)

// Env is what all actors of a process share. The simulator passes its own clock, dispatcher and Go, and with them owns
// every source of chance.
type Env struct {
	System     *actor.ActorSystem
	Dispatcher actor.Dispatcher
	Clock      timeservice.Clock
	// Go runs work on another goroutine. Whoever starts it is told how to end it; see each use.
	Go  func(work func())
	Log *slog.Logger
	// Store keeps the checkpoints.
	Store checkpoint.Store
	// Events is told what happens, for logs, metrics and tests; any goroutine calls it.
	Events func(Event)
	// Members are the TaskManagers that the cluster knows of.
	Members func() []*actor.PID
	// Jobs keeps what a JobManager must know of its jobs when it is restarted.
	Jobs *Jobs
	// Stats is where the subtasks of this process publish what they measure.
	Stats *Stats
	// incarnations numbers the incarnations of slots over the whole process.
	incarnations atomic.Int64
}

// props are the properties that all actors of Weir have in common: the mailbox, and who runs it.
func (e *Env) props(make func() actor.Actor) *actor.Props {
	return actor.PropsFromProducer(make,
		actor.WithDispatcher(e.Dispatcher),
		actor.WithMailbox(func() actor.Mailbox { return newMailbox(0, nil, nil, nil) }))
}

// later runs f on the goroutine of the actor self when d has passed, unless stop is closed before.
func (e *Env) later(self *actor.PID, stop <-chan struct{}, d time.Duration, f func()) {
	e.Clock.AfterFunc(d, func() {
		select {
		case <-stop:
		default:
			e.System.Root.Send(self, async{unless(stop, f)})
		}
	})
}

// async runs work on another goroutine and then done on the actor's, unless stop is closed before. The goroutine ends
// when work does; work that may take long watches stop.
func (e *Env) async(self *actor.PID, stop <-chan struct{}, work, done func()) {
	e.Go(func() {
		work()
		select {
		case <-stop:
		default:
			e.System.Root.Send(self, async{unless(stop, done)})
		}
	})
}

// shut closes stop, once: an actor may be told to restart again while it waits for its children to stop.
func shut(stop chan struct{}) {
	select {
	case <-stop:
	default:
		close(stop)
	}
}

// unless is f, but nothing once stop is closed: a message that was sent before a restart reaches the next incarnation.
func unless(stop <-chan struct{}, f func()) func() {
	return func() {
		select {
		case <-stop:
		default:
			f()
		}
	}
}

// Throughput is how many messages an actor handles before others have their turn.
const Throughput = 64

// Goroutines is the dispatcher of real processes: every pass of a mailbox is a goroutine.
type Goroutines struct{}

// Schedule implements actor.Dispatcher. The goroutine ends when the pass does.
func (Goroutines) Schedule(pass func()) { go pass() }

// Throughput implements actor.Dispatcher.
func (Goroutines) Throughput() int { return Throughput }
