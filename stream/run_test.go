package stream_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weirstream/weir/codec"
	"github.com/weirstream/weir/jobgraph"
	"github.com/weirstream/weir/operators"
	"github.com/weirstream/weir/operators/operatortest"
	. "github.com/weirstream/weir/stream"
)

// play runs the last step but its sinks of the job that wire makes, and returns what leaves each output, watermarks left
// out.
func play(t *testing.T, wire func(s Stream[sale]), script ...[]operatortest.Event) [][]string {
	t.Helper()
	j := NewJob("play")
	wire(salesIn(j))
	g, err := j.Build()
	if err != nil {
		t.Fatal(err)
	}
	var n *jobgraph.Node
	for _, m := range g.Nodes {
		if m.Kind != "sink" {
			n = m
		}
	}
	lines, err := operatortest.Run(operatortest.Setup{New: n.New}, slices.Concat(script...))
	if err != nil {
		t.Fatal(err)
	}
	for i := range lines {
		lines[i] = slices.DeleteFunc(lines[i], func(l string) bool { return strings.HasPrefix(l, "watermark") })
		for k, l := range lines[i] {
			lines[i][k] = strings.ReplaceAll(l, "1970-01-01T00:00:", "")
		}
	}
	return lines
}

func at(s Time, v ...sale) []operatortest.Event { return operatortest.Records(0, 1000*s, v...) }
func mark(s Time) []operatortest.Event {
	return []operatortest.Event{operatortest.Watermark(0, 1000*s)}
}

func wantLines(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func TestReduce(t *testing.T) {
	got := play(t, func(s Stream[sale]) { discard(KeyBy(s, userOf).Reduce(sumOf)) }, at(1, sale{"ann", 1}, sale{"bob", 5}, sale{"ann", 2}))
	wantLines(t, got[0], "{User:ann Amount:1} at 01.000Z", "{User:bob Amount:5} at 01.000Z", "{User:ann Amount:3} at 01.000Z")
}

func TestFold(t *testing.T) {
	got := play(t, func(s Stream[sale]) {
		discard(Fold(KeyBy(s, userOf), Aggregate[sale, int]{Add: count}, func(u string, n *int) string { return fmt.Sprint(u, *n) }))
	}, at(1, sale{"ann", 1}, sale{"bob", 5}), at(2, sale{"ann", 2}))
	wantLines(t, got[0], "ann1 at 01.000Z", "bob1 at 01.000Z", "ann2 at 02.000Z")
}

func TestWindowReduceAndLate(t *testing.T) {
	got := play(t, func(s Stream[sale]) {
		r := KeyBy(s, userOf).Window(TumblingWindow(10 * time.Second)).AllowedLateness(5 * time.Second).Reduce(sumOf)
		discard(r)
		discard(Late[sale](r))
	}, at(1, sale{"ann", 1}), at(9, sale{"ann", 2}), at(11, sale{"ann", 4}), mark(12), at(8, sale{"ann", 8}), mark(16), at(7, sale{"ann", 16}))
	wantLines(t, got[0], "{User:ann Amount:3} at 09.999Z", "{User:ann Amount:11} at 09.999Z", "{User:ann Amount:4} at 19.999Z")
	wantLines(t, got[1], "{User:ann Amount:16} at 07.000Z")
}

func TestWindowWithOffsetAndTrigger(t *testing.T) {
	got := play(t, func(s Stream[sale]) {
		w := KeyBy(s, userOf).Window(TumblingWindow(10 * time.Second).WithOffset(-3 * time.Second)).Trigger(Purging(CountTrigger[sale](2)))
		discard(ReduceWindow(w, sumOf, func(w *WindowResult[string], v *sale) string {
			return fmt.Sprint(w.Key, " ", int64(w.Window.Start), " ", w.Pane.Index, " ", v.Amount)
		}))
	}, at(7, sale{"ann", 1}, sale{"ann", 2}, sale{"ann", 4}, sale{"ann", 8}, sale{"ann", 16}))
	wantLines(t, got[0], "ann 7000 0 3 at 16.999Z", "ann 7000 1 12 at 16.999Z")
}

func TestSessionsOfRecordsOwnGaps(t *testing.T) {
	got := play(t, func(s Stream[sale]) {
		w := KeyBy(s, userOf).Window(SessionWindowBy(func(v *sale) time.Duration { return time.Duration(v.Amount) * time.Second }))
		discard(ApplyWindow(w, func(w *WindowResult[string], records []sale, out *Collector[string]) {
			out.Emit(w.Window.String())
			for i := range records {
				out.Emit(fmt.Sprint(w.Key, records[i].Amount))
			}
		}))
	}, at(1, sale{"ann", 2}), at(3, sale{"ann", 1}), at(10, sale{"ann", 1}))
	wantLines(t, got[0],
		"[01.000Z, 04.000Z) at 03.999Z", "ann2 at 03.999Z", "ann1 at 03.999Z",
		"[10.000Z, 11.000Z) at 10.999Z", "ann1 at 10.999Z")
}

func TestSlidingAggregateOfAll(t *testing.T) {
	agg := Aggregate[sale, int]{Add: count, Merge: func(a, b *int) { *a += *b }}
	got := play(t, func(s Stream[sale]) {
		discard(AggregateWindow(WindowAll(s, SlidingWindow(4*time.Second, 2*time.Second)), agg, func(_ *WindowResult[Whole], n *int) int { return *n }))
	}, at(1, sale{"ann", 1}, sale{"bob", 1}), at(3, sale{"cay", 1}))
	wantLines(t, got[0], "2 at 01.999Z", "3 at 03.999Z", "1 at 05.999Z")
}

func TestProcessKeyedSetsTheKey(t *testing.T) {
	got := play(t, func(s Stream[sale]) {
		discard(ProcessKeyed(KeyBy(s, userOf), func() KeyedProcessSpec[string, sale, string] {
			return KeyedProcessSpec[string, sale, string]{
				Process: func(c *KeyedContext[string, string], v *sale) { c.RegisterEventTimer(c.Timestamp() + 1000) },
				OnTimer: func(c *TimerContext[string, string], t Time) { c.Emit("quiet: " + c.Key()) },
			}
		}))
	}, at(1, sale{"ann", 1}), at(4, sale{"bob", 1}))
	wantLines(t, got[0], "quiet: ann at 02.000Z", "quiet: bob at 05.000Z")
}

func TestCoProcessesAndSides(t *testing.T) {
	dear := NewTag[string]("dear")
	both := func(s Stream[sale]) {
		out := CoProcessKeyed(ConnectKeyed(KeyBy(s, userOf), KeyBy(Map(s, userOf), func(v *string) string { return *v })),
			func() KeyedCoProcessSpec[string, sale, string, string] {
				return KeyedCoProcessSpec[string, sale, string, string]{
					ProcessA: func(c *KeyedContext[string, string], v *sale) { dear.Emit(c, "a "+c.Key()) },
					ProcessB: func(c *KeyedContext[string, string], v *string) { c.Emit("b " + c.Key()) },
					Sides:    Sides{dear},
				}
			})
		discard(out)
		discard(SideOutput(out, dear))
	}
	b := []operatortest.Event{operatortest.Record(1, "bob", 2000)}
	got := play(t, both, at(1, sale{"ann", 1}), b)
	wantLines(t, got[0], "b bob at 02.000Z")
	wantLines(t, got[1], "a ann at 01.000Z")

	got = play(t, func(s Stream[sale]) {
		discard(CoProcess(Connect(s, Map(s, userOf)), func() CoProcessSpec[sale, string, string] {
			seen := 0
			return CoProcessSpec[sale, string, string]{
				ProcessA: func(c *ProcessContext[string], v *sale) { seen++ },
				ProcessB: func(c *ProcessContext[string], v *string) { c.Emit(fmt.Sprint(*v, seen)) },
			}
		}))
	}, at(1, sale{"ann", 1}), b)
	wantLines(t, got[0], "bob1 at 02.000Z")
}

// routeOf is how the edge behind KeyBy hashes records.
func routeOf[K comparable](t testing.TB, key func(v *sale) K) func(v *sale) uint64 {
	t.Helper()
	j := NewJob("route")
	discard(KeyBy(salesIn(j), key).Reduce(sumOf))
	g, err := j.Build()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range g.Edges {
		if e.Strategy == operators.Hash {
			return e.Route.(func(*sale) uint64)
		}
	}
	t.Fatal("no edge by key")
	return nil
}

// testRoute checks that records go where the state of their key is.
func testRoute[K comparable](t *testing.T, key func(v *sale) K, allocs float64) {
	t.Helper()
	route, v := routeOf(t, key), &sale{"ann", 70_000}
	typ, err := codec.KeyFor[K]()
	if err != nil {
		t.Fatal(err)
	}
	k := key(v)
	if got, want := route(v), typ.Hash(&k); got != want {
		t.Errorf("%T: hash %x, want %x", k, got, want)
	}
	if got := testing.AllocsPerRun(100, func() { route(v) }); got > allocs {
		t.Errorf("%T: %v allocations for one record, want at most %v", k, got, allocs)
	}
}

func TestRouteAllocatesNothing(t *testing.T) {
	type name string
	type pair struct {
		User name
		At   [2]int32
		Even bool
	}
	testRoute(t, userOf, 0)
	testRoute(t, func(v *sale) name { return name(v.User) }, 0)
	testRoute(t, func(v *sale) uint16 { return uint16(v.Amount) }, 0)
	testRoute(t, func(v *sale) float64 { return float64(v.Amount) }, 0)
	testRoute(t, func(v *sale) pair { return pair{name(v.User), [2]int32{int32(v.Amount), 1}, true} }, 0)
	testRoute(t, func(v *sale) netip.Addr { return netip.AddrFrom4([4]byte{byte(v.Amount), 2, 3, 4}) }, 4) // has a method of its own
}

func BenchmarkRoute(b *testing.B) {
	route, v := routeOf(b, userOf), &sale{"ann", 1}
	b.ReportAllocs()
	for b.Loop() {
		route(v)
	}
}
