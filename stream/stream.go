package stream

import (
	"errors"
	"fmt"

	"github.com/weirstream/weir/connectors"
	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/jobgraph"
	"github.com/weirstream/weir/operators"
	"github.com/weirstream/weir/timeservice"
)

// Stream is records of T on their way from one step to the next.
type Stream[T any] struct{ up upstream }

// Collector takes the records that a FlatMap makes.
type Collector[O any] = operators.Collector[O]

// Reject is a piece of input that could not be read as a record.
type Reject = connectors.Reject

func streamOf[T any](j *Job, n *jobgraph.Node, port int) Stream[T] {
	return Stream[T]{upstream{job: j, outputs: []output{{n, port}}, auto: true}}
}

// From starts a stream with the records of a source. The watermark strategy gives records their event time. Input that is
// no record is counted and dropped, unless Rejects is used on the stream; FailOnError stops the job instead.
func From[T any](j *Job, src connectors.Source[T], w WatermarkStrategy[T], opts ...Option) Stream[T] {
	return from(j, src, w, operators.Divert, opts)
}

// FromStrict is From for input that must be flawless: the job fails at the first piece that is no record.
func FromStrict[T any](j *Job, src connectors.Source[T], w WatermarkStrategy[T], opts ...Option) Stream[T] {
	return from(j, src, w, operators.FailJob, opts)
}

func from[T any](j *Job, src connectors.Source[T], w WatermarkStrategy[T], policy operators.ErrorPolicy, opts []Option) Stream[T] {
	if src == nil {
		j.fail("From", errors.New("the source is nil"))
		src = noSource[T]{}
	}
	n := j.add(step{
		kind:   kindSource,
		make:   func() operators.Operator { return operators.NewSource(src, w, policy) },
		source: &jobgraph.Source{Bounded: src.Bounded(), Enumerator: src.Enumerator},
		check:  src.Check,
		format: fmt.Sprintf("%T", src),
	}, opts)
	return streamOf[T](j, n, 0)
}

// Rejects is the input of a source that could not be read as records. s must come straight from From.
func Rejects[T any](s Stream[T]) Stream[Reject] {
	if len(s.up.outputs) != 1 || s.up.outputs[0].node.Source == nil {
		s.fail("Rejects", errors.New("only what From returns has rejects"))
		return Stream[Reject](s)
	}
	return streamOf[Reject](s.up.job, s.up.outputs[0].node, 1)
}

func (s Stream[T]) fail(step string, err error) {
	if s.up.job != nil {
		s.up.job.fail(step, err)
	}
}

// Map makes one record of each. The result has the time of the record it was made of.
func Map[I, O any](s Stream[I], f func(v *I) O, opts ...Option) Stream[O] {
	return then[I, O](s, "map", func() operators.Operator { return operators.NewMap(f) }, f == nil, opts)
}

// MapInto is Map for wide results: f fills in *out instead of returning it. *out holds the result before; f must set every
// field that matters.
func MapInto[I, O any](s Stream[I], f func(v *I, out *O), opts ...Option) Stream[O] {
	return then[I, O](s, "map", func() operators.Operator { return operators.NewMapInto(f) }, f == nil, opts)
}

// FlatMap makes any number of records of each.
func FlatMap[I, O any](s Stream[I], f func(v *I, out *Collector[O]), opts ...Option) Stream[O] {
	return then[I, O](s, "flatmap", func() operators.Operator { return operators.NewFlatMap(f) }, f == nil, opts)
}

// Filter keeps the records for which keep is true.
func (s Stream[T]) Filter(keep func(v *T) bool, opts ...Option) Stream[T] {
	return then[T, T](s, "filter", func() operators.Operator { return operators.NewFilter(keep) }, keep == nil, opts)
}

// Filter is Stream.Filter as a function.
func Filter[T any](s Stream[T], keep func(v *T) bool, opts ...Option) Stream[T] {
	return s.Filter(keep, opts...)
}

// AssignTimestamps gives records new times and makes watermarks from those, instead of the ones that come in.
func (s Stream[T]) AssignTimestamps(w WatermarkStrategy[T], opts ...Option) Stream[T] {
	opts = append([]Option{StartNewChain()}, opts...)
	return then[T, T](s, "timestamps", func() operators.Operator { return operators.NewAssignTimestamps(w) }, false, opts)
}

// then adds a step with one input and one main output.
func then[I, O any](s Stream[I], kind string, make func() operators.Operator, noFunc bool, opts []Option) Stream[O] {
	j := s.job()
	if noFunc {
		j.fail(kind, errors.New("the function is nil"))
	}
	n := j.add(step{kind: kind, make: make, inputs: []feed{{0, s.up}}}, opts)
	return streamOf[O](j, n, 0)
}

// job is the stream's job. The zero Stream gets one of its own, whose Build fails.
func (s Stream[T]) job() *Job {
	if s.up.job == nil {
		j := NewJob("zero")
		j.fail("Stream", errors.New("the zero Stream was used: streams begin with From"))
		return j
	}
	return s.up.job
}

// Union is the records of all the streams, in no order between streams.
func Union[T any](first Stream[T], others ...Stream[T]) Stream[T] {
	u := Stream[T]{upstream{job: first.job(), outputs: append([]output(nil), first.up.outputs...), auto: true}}
	for _, o := range others {
		if o.up.job != first.up.job {
			u.fail("Union", errors.New("the streams belong to different jobs"))
			continue
		}
		u.up.outputs = append(u.up.outputs, o.up.outputs...)
	}
	return u
}

func (s Stream[T]) spread(strategy operators.Strategy, route any) Stream[T] {
	s.up.strategy, s.up.auto, s.up.route = strategy, false, route
	return s
}

// Rebalance deals records out to all subtasks of the next step in turn.
func (s Stream[T]) Rebalance() Stream[T] { return s.spread(operators.Rebalance, nil) }

// Rescale deals records out in turn as well, but each subtask to a share of the next step's subtasks only.
func (s Stream[T]) Rescale() Stream[T] { return s.spread(operators.Rescale, nil) }

// Shuffle gives each record to a subtask of the next step picked at random.
func (s Stream[T]) Shuffle() Stream[T] { return s.spread(operators.Shuffle, nil) }

// Broadcast gives each record to every subtask of the next step.
func (s Stream[T]) Broadcast() Stream[T] { return s.spread(operators.Broadcast, nil) }

// Forward keeps records in the subtask of the same number. The next step must have the same parallelism.
func (s Stream[T]) Forward() Stream[T] { return s.spread(operators.Forward, nil) }

// Global gives all records to the first subtask of the next step.
func (s Stream[T]) Global() Stream[T] { return s.spread(operators.First, nil) }

// PartitionBy gives each record to the subtask whose number, below n, pick returns.
func (s Stream[T]) PartitionBy(pick func(v *T, n int) int) Stream[T] {
	if pick == nil {
		s.fail("PartitionBy", errors.New("the function is nil"))
	}
	return s.spread(operators.Custom, pick)
}

// To ends the stream in a sink.
func (s Stream[T]) To(sink connectors.Sink[T], opts ...Option) {
	j := s.job()
	if sink == nil {
		j.fail("To", errors.New("the sink is nil"))
		return
	}
	j.add(step{
		kind:   kindSink,
		make:   func() operators.Operator { return operators.NewSink(sink) },
		check:  sink.Check,
		format: fmt.Sprintf("%T", sink),
		inputs: []feed{{0, s.up}},
	}, opts)
}

// noSource stands in for a nil source until Build reports it.
type noSource[T any] struct{}

func (noSource[T]) Check() error                               { return nil }
func (noSource[T]) Bounded() bool                              { return true }
func (noSource[T]) Enumerator() (connectors.Enumerator, error) { return nil, errors.New("no source") }
func (noSource[T]) Reader(connectors.ReaderContext) (connectors.Reader[T], error) {
	return nil, errors.New("no source")
}

// WatermarkStrategy says what time records have and how far event time has come.
type WatermarkStrategy[T any] = timeservice.WatermarkStrategy[T]

// Time is event time or processing time in milliseconds since the Unix epoch.
type Time = flow.Time
