package stream_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/weirstream/weir/connectors"
	"github.com/weirstream/weir/connectors/memory"
	"github.com/weirstream/weir/jobgraph"
	. "github.com/weirstream/weir/stream"
)

// sale is a record of the tests.
type sale struct {
	User   string
	Amount int64
}

func userOf(v *sale) string   { return v.User }
func sumOf(acc, v *sale)      { acc.Amount += v.Amount }
func count(acc *int, _ *sale) { *acc++ }

func salesIn(j *Job) Stream[sale] {
	return From(j, memory.Source([]sale{{"ann", 1}}, nil), Monotonous[sale]())
}

// badSink is a sink whose Check finds a mistake.
type badSink struct{ connectors.Sink[sale] }

func (badSink) Check() error { return errors.New("no directory") }

// TestMistakes wires jobs wrongly: Build reports that with the name of the step, and nothing panics.
func TestMistakes(t *testing.T) {
	type byPointer struct{ At *int }
	type channel struct{ C chan int }
	elsewhere := salesIn(NewJob("elsewhere"))
	emit := func(_ string, n *int) int { return *n }
	fired := func(_ *WindowResult[string], n *int) int { return *n }
	counting := Aggregate[sale, int]{Add: count}
	text, number := NewTag[string]("notes"), NewTag[int]("notes")
	spec := func() ProcessSpec[sale, sale] {
		return ProcessSpec[sale, sale]{Process: func(c *ProcessContext[sale], v *sale) {}, Sides: Sides{text}}
	}
	window := func(s Stream[sale], a WindowAssigner) Stream[int] {
		return AggregateWindow(KeyBy(s, userOf).Window(a), counting, fired, Name("here"))
	}
	for _, c := range []struct {
		name string
		wire func(s Stream[sale])
		want string
	}{
		{"no sink", func(s Stream[sale]) {}, "source: nothing is done with its records"},
		{"nil map", func(s Stream[sale]) { discard(Map[sale, int](s, nil)) }, "map: the function is nil"},
		{"nil key", func(s Stream[sale]) { discard(KeyBy[string](s, nil).Reduce(sumOf, Name("here"))) }, "here: KeyBy: the function is nil"},
		{"pointer in key", func(s Stream[sale]) {
			discard(KeyBy(s, func(v *sale) byPointer { return byPointer{} }).Reduce(sumOf, Name("here")))
		}, "here: KeyBy: stream_test.byPointer cannot be a key"},
		{"key of any", func(s Stream[sale]) { discard(KeyBy(s, func(v *sale) any { return v.User }).Reduce(sumOf)) }, "reduce: KeyBy: interface {} cannot be a key"},
		{"time as key", func(s Stream[sale]) {
			discard(Window(KeyBy(s, func(v *sale) time.Time { return time.Time{} }), TumblingWindow(time.Second)).Reduce(sumOf))
		}, "window: KeyBy: time.Time cannot be a key"},
		{"nil reduce", func(s Stream[sale]) { discard(KeyBy(s, userOf).Reduce(nil, Name("here"))) }, "here: the function is nil"},
		{"nil add", func(s Stream[sale]) { discard(Fold(KeyBy(s, userOf), Aggregate[sale, int]{}, emit, Name("here"))) }, "here: Aggregate.Add is nil"},
		{"nil emit", func(s Stream[sale]) {
			discard(Fold[string, sale, int, int](KeyBy(s, userOf), counting, nil, Name("here")))
		}, "here: the emit function is nil"},
		{"accumulator", func(s Stream[sale]) {
			agg := Aggregate[sale, channel]{Add: func(*channel, *sale) {}}
			discard(Fold(KeyBy(s, userOf), agg, func(string, *channel) int { return 0 }, Name("here")))
		}, "here: its accumulators cannot be kept as state: codec: channel.C"},
		{"accumulator of a window", func(s Stream[sale]) {
			agg := Aggregate[sale, channel]{Add: func(*channel, *sale) {}}
			w := KeyBy(s, userOf).Window(TumblingWindow(time.Second))
			discard(AggregateWindow(w, agg, func(*WindowResult[string], *channel) int { return 0 }, Name("here")))
		}, "here: its accumulators cannot be kept as state"},
		{"records of a buffer", func(s Stream[sale]) {
			k := KeyBy(Map(s, func(*sale) channel { return channel{} }), func(*channel) int { return 1 })
			discard(ApplyWindow(k.Window(TumblingWindow(time.Second)), func(*WindowResult[int], []channel, *Collector[int]) {}, Name("here")))
		}, "here: its records cannot be kept as state"},
		{"nil apply", func(s Stream[sale]) {
			discard(ApplyWindow[string, sale, int](KeyBy(s, userOf).Window(TumblingWindow(time.Second)), nil))
		}, "window: the function is nil"},
		{"no merge", func(s Stream[sale]) { discard(window(s, SessionWindow(time.Second))) }, "here: window: operators.Session windows need an aggregate that can Merge"},
		{"no assigner", func(s Stream[sale]) { discard(window(s, WindowAssigner{})) }, "here: no window assigner"},
		{"size", func(s Stream[sale]) { discard(window(s, TumblingWindow(-time.Second))) }, "here: tumbling windows: size of -1000 ms"},
		{"cut size", func(s Stream[sale]) { discard(window(s, TumblingWindow(1500*time.Microsecond))) }, "here: size of 1.5ms: time is counted in whole milliseconds"},
		{"offset", func(s Stream[sale]) { discard(window(s, GlobalWindow().WithOffset(time.Second))) }, "here: global windows have no offset"},
		{"global without trigger", func(s Stream[sale]) { discard(window(s, GlobalWindow())) }, "here: window: a global window never ends"},
		{"gap of another type", func(s Stream[sale]) {
			discard(window(s, SessionWindowBy(func(v *int) time.Duration { return time.Second })))
		}, "is not for records of type stream_test.sale"},
		{"nil gap", func(s Stream[sale]) { discard(window(s, SessionWindowBy[sale](nil))) }, "here: SessionWindowBy: the function is nil"},
		{"lateness", func(s Stream[sale]) {
			discard(KeyBy(s, userOf).Window(TumblingWindow(time.Second)).AllowedLateness(-time.Second).Reduce(sumOf))
		}, "window: window: allowed lateness of -1000 ms"},
		{"trigger", func(s Stream[sale]) {
			discard(KeyBy(s, userOf).Window(TumblingWindow(time.Second)).Trigger(CountTrigger[sale](0)).Reduce(sumOf))
		}, "window: count trigger: every 0 records"},
		{"parallel WindowAll", func(s Stream[sale]) {
			discard(WindowAll(s, TumblingWindow(time.Second)).Reduce(sumOf, Parallelism(4)))
		}, "window: WindowAll runs as one subtask, not as 4"},
		{"late of a map", func(s Stream[sale]) { discard(Late[sale](Map(s, userOf, Name("here")))) }, `here: Late: the step has no side output "late"`},
		{"late of another type", func(s Stream[sale]) {
			discard(Late[int](KeyBy(s, userOf).Window(TumblingWindow(time.Second)).Reduce(sumOf, Name("here"))))
		}, `here: Late: side output "late" has records of type stream_test.sale, not int`},
		{"nil process", func(s Stream[sale]) {
			discard(Process(s, func() ProcessSpec[sale, int] { return ProcessSpec[sale, int]{} }, Name("here")))
		}, "here: Process is nil"},
		{"nil spec", func(s Stream[sale]) { discard(ProcessKeyed[string, sale, int](KeyBy(s, userOf), nil, Name("here"))) }, "here: the function that makes the spec is nil"},
		{"nil side of two", func(s Stream[sale]) {
			discard(CoProcess(Connect(s, s), func() CoProcessSpec[sale, sale, int] {
				return CoProcessSpec[sale, sale, int]{ProcessA: func(*ProcessContext[int], *sale) {}}
			}, Name("here")))
		}, "here: ProcessB is nil"},
		{"sides", func(s Stream[sale]) {
			two := func() ProcessSpec[sale, sale] {
				p := spec()
				p.Sides = Sides{text, number}
				return p
			}
			discard(Process(s, two, Name("here")))
		}, `here: side output "notes" is listed twice`},
		{"zero tag", func(s Stream[sale]) {
			zero := func() ProcessSpec[sale, sale] {
				p := spec()
				p.Sides = Sides{Tag[int]{}}
				return p
			}
			discard(Process(s, zero, Name("here")))
		}, "here: side output 1 has no name"},
		{"side of another type", func(s Stream[sale]) { discard(SideOutput(Process(s, spec, Name("here")), number)) }, `here: SideOutput: side output "notes" has records of type string, not int`},
		{"unknown side", func(s Stream[sale]) { discard(SideOutput(Process(s, spec, Name("here")), NewTag[int]("x"))) }, `here: SideOutput: the step has no side output "x"`},
		{"side of a union", func(s Stream[sale]) { discard(SideOutput(Union(s, s), text)) }, "SideOutput: a union has no side outputs"},
		{"two jobs", func(s Stream[sale]) {
			discard(CoProcessKeyed(ConnectKeyed(KeyBy(s, userOf), KeyBy(elsewhere, userOf)), func() KeyedCoProcessSpec[string, sale, sale, int] {
				return KeyedCoProcessSpec[string, sale, sale, int]{
					ProcessA: func(*KeyedContext[string, int], *sale) {}, ProcessB: func(*KeyedContext[string, int], *sale) {},
				}
			}, Name("here")))
		}, "here: its input belongs to another job"},
		{"sink", func(s Stream[sale]) { s.To(badSink{}, Name("here")) }, "here: no directory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := NewJob("wrong")
			c.wire(salesIn(j))
			_, err := j.Build()
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Build says %v, want %q", err, c.want)
			}
		})
	}
}

// discard ends a stream.
func discard[T any](s Stream[T]) { s.To(memory.Collect[T]()) }

// TestMistakesOfParallelism are seen only once the parallelism is known.
func TestMistakesOfParallelism(t *testing.T) {
	for want, wire := range map[string]func(s Stream[sale]){
		"a → b: Forward needs equal parallelism, not 2 and 3": func(s Stream[sale]) {
			discard(s.Filter(func(*sale) bool { return true }, Name("a")).Forward().Filter(func(*sale) bool { return true }, Name("b"), Parallelism(3)))
		},
		`b: UID "x" is taken by a`: func(s Stream[sale]) {
			discard(KeyBy(KeyBy(s, userOf).Reduce(sumOf, Name("a"), UID("x")), userOf).Reduce(sumOf, Name("b"), UID("x")))
		},
		"b: parallelism 9 is above its maximum of 8": func(s Stream[sale]) {
			discard(KeyBy(s, userOf).Reduce(sumOf, Name("b"), Parallelism(9), MaxParallelism(8)))
		},
	} {
		j := NewJob("wrong")
		wire(salesIn(j))
		g, err := j.Build()
		if err != nil {
			t.Errorf("Build says %v, want no mistake yet", err)
			continue
		}
		if _, err = g.Job(jobgraph.Options{Parallelism: 2}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Job says %v, want %q", err, want)
		}
	}
}

// TestAllMistakesAtOnce: one Build reports every mistake.
func TestAllMistakesAtOnce(t *testing.T) {
	j := NewJob("wrong")
	s := salesIn(j)
	discard(KeyBy[string](s, nil).Reduce(nil, Name("first")))
	discard(KeyBy(s, userOf).Window(GlobalWindow()).Reduce(sumOf, Name("second")))
	s.Filter(nil)
	_, err := j.Build()
	for _, want := range []string{"job wrong", "first: KeyBy", "second: window", "filter: the function is nil"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Build says %v, want %q in it", err, want)
		}
	}
}
