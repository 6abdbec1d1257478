package operators

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/weirstream/weir/codec"
	"github.com/weirstream/weir/flow"
)

func TestSessionsAgainstModel(t *testing.T) {
	for name, trigger := range map[string]Trigger[hit]{"default": nil, "trigger": plainEventTime{}} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				m := newModel()
				m.session, m.size = true, flow.Time(rapid.Int64Range(1, 30).Draw(rt, "gap"))
				drawLateness(rt, m)
				spec := statSpec(t, Session{Gap: m.size}, maxAgg())
				spec.AllowedLateness, spec.Trigger = m.late, trigger
				againstModel(rt, t, m, func() Operator { return NewWindow(spec) })
			})
		})
	}
	t.Run("buffers", func(t *testing.T) {
		rapid.Check(t, func(rt *rapid.T) {
			m := newModel()
			m.session, m.size = true, flow.Time(rapid.Int64Range(1, 30).Draw(rt, "gap"))
			drawLateness(rt, m)
			spec := bufferSpec(t, Session{Gap: m.size})
			spec.AllowedLateness = m.late
			againstModel(rt, t, m, func() Operator { return NewWindow(spec) })
		})
	})
}

// feedHits feeds (key, value, time) triples as one batch.
func feedHits(r *rig, hits ...[3]int64) {
	b := flow.NewRecords[hit](len(hits))
	for _, h := range hits {
		b.Append(&hit{h[0], h[1]}, flow.Time(h[2]))
	}
	r.feed(b)
}

func wantResults(t *testing.T, r *rig, want ...string) {
	t.Helper()
	var got []string
	for _, x := range r.take() {
		if x.Time != x.Window.MaxTimestamp() {
			t.Errorf("%v has time %d", x, x.Time)
		}
		got = append(got, x.String())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(- want, + got)\n%s", diff)
	}
}

func openSpec(t *testing.T, a Assigner, trigger Trigger[hit], late flow.Time) *rig {
	spec := statSpec(t, a, maxAgg())
	spec.Trigger, spec.AllowedLateness = trigger, late
	return openRig(t, NewWindow(spec), 0, 1, 0, nil, flow.MinTime)
}

func TestSessionsTouch(t *testing.T) {
	r := openSpec(t, Session{Gap: 10}, nil, 0)
	feedHits(r, [3]int64{1, 1, 0}, [3]int64{1, 2, 10}, [3]int64{1, 4, 21}) // 10 touches [0,10); 21 does not touch [0,20)
	r.watermark(100)
	wantResults(t, r, "1 [0,20) sum 3 of 2 max 2 ON_TIME 0", "1 [21,31) sum 4 of 1 max 4 ON_TIME 0")
}

// A record behind the watermark lives on if a live session takes it in, and is dropped if not.
func TestSessionLateRecords(t *testing.T) {
	r := openSpec(t, Session{Gap: 10}, nil, 0)
	feedHits(r, [3]int64{1, 1, 50})
	r.watermark(55)
	feedHits(r, [3]int64{1, 2, 41}, [3]int64{1, 4, 30}, [3]int64{2, 8, 40})
	if n := r.ctx.Counters.LateDropped.Load(); n != 2 || len(r.late) != 2 {
		t.Errorf("%d dropped, %v on the late output", n, r.late)
	}
	r.watermark(100)
	wantResults(t, r, "1 [41,60) sum 3 of 2 max 2 ON_TIME 0")
}

func TestSessionBy(t *testing.T) {
	r := openSpec(t, SessionBy[hit]{Gap: func(v *hit) flow.Time { return flow.Time(v.Val) }}, nil, 0)
	feedHits(r, [3]int64{1, 100, 0}, [3]int64{1, 5, 20}, [3]int64{1, 5, 150}, [3]int64{1, 50, 100})
	r.watermark(1000)
	wantResults(t, r, "1 [0,155) sum 160 of 4 max 100 ON_TIME 0")
	defer func() {
		if recover() == nil {
			t.Error("a gap of 0 was taken")
		}
	}()
	feedHits(r, [3]int64{1, 0, 2000})
}

func TestSessionEndsAtTheEndOfTime(t *testing.T) {
	r := openSpec(t, Session{Gap: 10}, nil, 50)
	feedHits(r, [3]int64{1, 1, int64(flow.MaxTime) - 3}, [3]int64{1, 2, int64(flow.MinTime) + 1})
	r.watermark(flow.MaxTime)
	if got := r.take(); len(got) != 2 || got[1].Window.End != flow.MaxTime {
		t.Errorf("fired %v", got)
	}
}

// Sessions of all keys fire by time, then key.
func TestSessionsFireInOrder(t *testing.T) {
	r := openSpec(t, Session{Gap: 10}, nil, 0)
	feedHits(r, [3]int64{5, 1, 7}, [3]int64{3, 1, 7}, [3]int64{9, 1, 1}, [3]int64{4, 1, 2}, [3]int64{4, 1, 7})
	r.watermark(100)
	wantResults(t, r,
		"9 [1,11) sum 1 of 1 max 1 ON_TIME 0", "3 [7,17) sum 1 of 1 max 1 ON_TIME 0",
		"4 [2,17) sum 2 of 2 max 1 ON_TIME 0", "5 [7,17) sum 1 of 1 max 1 ON_TIME 0")
}

// A record that only extends its session leaves the timers alone: however many come, one timer a session is held.
func TestSessionTimersDoNotPileUp(t *testing.T) {
	r := openSpec(t, Session{Gap: 10}, nil, 0)
	p := r.op.(*paneWindow[int64, hit, stat, result])
	for i := range int64(10_000) {
		feedHits(r, [3]int64{1, 1, i})
	}
	if n := p.eventTimers.Len(); n != 1 {
		t.Errorf("%d timers for one session", n)
	}
	r.watermark(9_000)
	if n := p.eventTimers.Len(); n != 1 {
		t.Errorf("%d timers for one session after the first came due", n)
	}
	wantResults(t, r)
}

// With a trigger a session gives up its cleanup timer whenever it grows.
func TestTriggeredSessionTimersDoNotPileUp(t *testing.T) {
	for _, trigger := range []Trigger[hit]{CountTrigger[hit](1 << 40), plainEventTime{}, ContinuousEventTimeTrigger[hit](1 << 40)} {
		r := openSpec(t, Session{Gap: 10}, trigger, 5)
		for i := range int64(1000) {
			feedHits(r, [3]int64{1, 1, i})
		}
		if n := r.op.(*paneWindow[int64, hit, stat, result]).eventTimers.Len(); n > 3 {
			t.Errorf("%T: %d timers for one session", trigger, n)
		}
	}
}

// A session that had fired and grows fires again when it ends, and not only when the timer of its old cleanup comes due.
func TestFiredSessionGrows(t *testing.T) {
	r := openSpec(t, Session{Gap: 10}, nil, 100)
	feedHits(r, [3]int64{1, 1, 0})
	r.watermark(9)
	wantResults(t, r, "1 [0,10) sum 1 of 1 max 1 ON_TIME 0")
	feedHits(r, [3]int64{1, 2, 8})
	wantResults(t, r)
	r.watermark(17)
	wantResults(t, r, "1 [0,18) sum 3 of 2 max 2 ON_TIME 1")
	feedHits(r, [3]int64{1, 4, 3})
	wantResults(t, r, "1 [0,18) sum 7 of 3 max 4 LATE 2")
	r.watermark(116)
	p := r.op.(*paneWindow[int64, hit, stat, result])
	if p.heads.Len() != 1 {
		t.Error("forgotten before the allowed lateness")
	}
	r.watermark(117)
	if p.heads.Len()+p.eventTimers.Len() > 0 {
		t.Errorf("%d keys and %d timers are left over", p.heads.Len(), p.eventTimers.Len())
	}
}

// A snapshot is not touched by what comes after it, even if accumulators are changed in memory that copies of them share.
func TestSnapshotsOfSharedMemory(t *testing.T) {
	for _, a := range []Assigner{Session{Gap: 10}, Tumbling{Size: 100}, Sliding{Size: 100, Slide: 20}} {
		spec := WindowSpec[int64, hit, []int64, result]{
			Key: func(v *hit) int64 { return v.Key }, KeyType: keyOf[int64](t), Assigner: a,
			Aggregate: Aggregate[hit, []int64]{
				Create: func() []int64 { return []int64{0} },
				Add:    func(acc *[]int64, v *hit) { (*acc)[0] += v.Val },
				Merge:  func(acc, o *[]int64) { (*acc)[0] += (*o)[0] },
				Codec:  codec.MustFor[[]int64](),
			},
			Emit: func(f *Firing[int64], acc *[]int64, out Next[result]) {
				out(&result{Key: f.Key, Window: f.Window, Stat: stat{Sum: (*acc)[0]}}, f.Window.MaxTimestamp())
			},
		}
		f := newFleet(t, 2, func() Operator { return NewWindow(spec) })
		f.feed([]hit{{1, 1}, {2, 1}, {3, 1}, {1, 1}}, []flow.Time{5, 5, 5, 6})
		f.rescale(1, func() { f.feed([]hit{{1, 100}, {2, 100}, {3, 100}}, []flow.Time{7, 7, 7}) })
		f.advanceWatermark(1000)
		got := f.take()
		if len(got) < 3 {
			t.Fatalf("%T: %v", a, got)
		}
		for _, x := range got {
			want := int64(1)
			if x.Key == 1 {
				want = 2
			}
			if x.Stat.Sum != want {
				t.Errorf("%T: key %d has %d, want %d", a, x.Key, x.Stat.Sum, want)
			}
		}
	}
}
