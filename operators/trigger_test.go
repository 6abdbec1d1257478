package operators

import (
	"testing"

	"github.com/weirstream/weir/flow"
)

func TestCountTrigger(t *testing.T) {
	r := openSpec(t, Global{}, CountTrigger[hit](2), 0)
	feedHits(r, [3]int64{1, 1, 0}, [3]int64{2, 10, 0}, [3]int64{1, 2, 0}, [3]int64{1, 4, 0}, [3]int64{1, 8, 0})
	r.watermark(flow.MaxTime)
	var sums []int64
	for _, x := range r.take() {
		sums = append(sums, x.Stat.Sum)
	}
	if len(sums) != 2 || sums[0] != 3 || sums[1] != 15 {
		t.Errorf("sums %v, want 3 and 15", sums)
	}
}

func TestCountTriggerPurging(t *testing.T) {
	r := openSpec(t, Tumbling{Size: 100}, Purging(CountTrigger[hit](2)), 0)
	feedHits(r, [3]int64{1, 1, 0}, [3]int64{1, 2, 50}, [3]int64{1, 4, 60}, [3]int64{1, 8, 110}, [3]int64{1, 16, 70}, [3]int64{1, 32, 71})
	r.watermark(1000) // what is left is cleaned up without firing
	wantResults(t, r, "1 [0,100) sum 3 of 2 max 2 EARLY 0", "1 [0,100) sum 20 of 2 max 16 EARLY 1")
	p := r.op.(*paneWindow[int64, hit, stat, result])
	if p.heads.Len()+p.eventTimers.Len() > 0 {
		t.Errorf("%d keys and %d timers are left over", p.heads.Len(), p.eventTimers.Len())
	}
}

// Sessions that merge add up their counts.
func TestCountTriggerMerges(t *testing.T) {
	r := openSpec(t, Session{Gap: 10}, CountTrigger[hit](4), 0)
	feedHits(r, [3]int64{1, 1, 0}, [3]int64{1, 2, 18}, [3]int64{1, 4, 19})
	wantResults(t, r)
	feedHits(r, [3]int64{1, 8, 9})
	wantResults(t, r, "1 [0,29) sum 15 of 4 max 8 EARLY 0")
}

func TestContinuousEventTime(t *testing.T) {
	r := openSpec(t, Tumbling{Size: 100}, ContinuousEventTimeTrigger[hit](30), 20)
	feedHits(r, [3]int64{1, 1, 5})
	r.watermark(29)
	wantResults(t, r)
	r.watermark(30)
	wantResults(t, r, "1 [0,100) sum 1 of 1 max 1 EARLY 0")
	feedHits(r, [3]int64{1, 2, 40})
	r.watermark(95) // 60 and 90
	wantResults(t, r, "1 [0,100) sum 3 of 2 max 2 EARLY 1", "1 [0,100) sum 3 of 2 max 2 EARLY 2")
	r.watermark(110) // the end, at 99
	wantResults(t, r, "1 [0,100) sum 3 of 2 max 2 ON_TIME 3")
	feedHits(r, [3]int64{1, 4, 50})
	wantResults(t, r, "1 [0,100) sum 7 of 3 max 4 LATE 4")
	r.watermark(119)
	feedHits(r, [3]int64{1, 8, 50})
	if r.ctx.Counters.LateDropped.Load() != 1 {
		t.Error("a record behind the allowed lateness was taken")
	}
	wantResults(t, r)
}

func TestContinuousEventTimeMerges(t *testing.T) {
	r := openSpec(t, Session{Gap: 10}, ContinuousEventTimeTrigger[hit](7), 0)
	feedHits(r, [3]int64{1, 1, 0}, [3]int64{1, 2, 15}, [3]int64{1, 4, 8}) // merges [0,10) and [15,25)
	r.watermark(7)
	wantResults(t, r, "1 [0,25) sum 7 of 3 max 4 EARLY 0")
	r.watermark(1000) // 14, 21 and the end
	wantResults(t, r, "1 [0,25) sum 7 of 3 max 4 EARLY 1", "1 [0,25) sum 7 of 3 max 4 EARLY 2", "1 [0,25) sum 7 of 3 max 4 ON_TIME 3")
	p := r.op.(*paneWindow[int64, hit, stat, result])
	if p.eventTimers.Len() > 0 {
		t.Errorf("%d timers are left over", p.eventTimers.Len())
	}
}

func TestContinuousProcessingTime(t *testing.T) {
	r := openSpec(t, Global{}, ContinuousProcessingTimeTrigger[hit](100), 0)
	r.clock.Set(1010)
	feedHits(r, [3]int64{1, 1, 0})
	r.advance(1099)
	wantResults(t, r)
	r.advance(1100)
	feedHits(r, [3]int64{1, 2, 0})
	r.advance(1320)
	var sums []int64
	for _, x := range r.take() {
		sums = append(sums, x.Stat.Sum)
	}
	if len(sums) != 3 || sums[0] != 1 || sums[1] != 3 || sums[2] != 3 {
		t.Errorf("sums %v, want 1 3 3", sums)
	}
}

func TestContinuousProcessingTimeEndsWithTheWindow(t *testing.T) {
	r := openSpec(t, Tumbling{Size: 100, ProcessingTime: true}, ContinuousProcessingTimeTrigger[hit](30), 0)
	feedHits(r, [3]int64{1, 1, 0})
	r.advance(1000) // 30, 60, 90 and the end
	wantResults(t, r, "1 [0,100) sum 1 of 1 max 1 EARLY 0", "1 [0,100) sum 1 of 1 max 1 EARLY 1",
		"1 [0,100) sum 1 of 1 max 1 EARLY 2", "1 [0,100) sum 1 of 1 max 1 ON_TIME 3")
	if r.wake != flow.MaxTime {
		t.Errorf("a wake-up at %d is left", r.wake)
	}
}

func TestPurgingEventTime(t *testing.T) {
	r := openSpec(t, Tumbling{Size: 10}, Purging(EventTimeTrigger[hit]()), 100)
	feedHits(r, [3]int64{1, 1, 5})
	r.watermark(20)
	feedHits(r, [3]int64{1, 2, 6})
	wantResults(t, r, "1 [0,10) sum 1 of 1 max 1 ON_TIME 0", "1 [0,10) sum 2 of 1 max 2 LATE 1")
}

func TestProcessingTimeTriggerOnSessions(t *testing.T) {
	r := openSpec(t, Session{Gap: 10, ProcessingTime: true}, Purging(ProcessingTimeTrigger[hit]()), 0)
	feedHits(r, [3]int64{1, 1, 0})
	r.advance(8)
	feedHits(r, [3]int64{1, 2, 0})
	r.advance(16)
	wantResults(t, r)
	r.advance(17)
	wantResults(t, r, "1 [0,18) sum 3 of 2 max 2 ON_TIME 0")
	p := r.op.(*paneWindow[int64, hit, stat, result])
	if p.heads.Len()+p.clockTimers.Len() > 0 {
		t.Errorf("%d keys and %d timers are left over", p.heads.Len(), p.clockTimers.Len())
	}
}

// The default triggers by name take the way of nil.
func TestDefaultTriggersByName(t *testing.T) {
	for _, c := range []struct {
		a Assigner
		g Trigger[hit]
	}{{Tumbling{Size: 10}, EventTimeTrigger[hit]()}, {Tumbling{Size: 10, ProcessingTime: true}, ProcessingTimeTrigger[hit]()}} {
		spec := statSpec(t, c.a, maxAgg())
		spec.Trigger = c.g
		if _, ok := NewWindow(spec).(*sliceWindow[int64, hit, stat, result]); !ok {
			t.Errorf("%+v with %T is not computed from slices", c.a, c.g)
		}
	}
}

// What triggers remember, their timers, and what was fired survive a restore over other key groups.
func TestTriggersSurviveRescaling(t *testing.T) {
	spec := statSpec(t, Tumbling{Size: 1000}, maxAgg())
	spec.Trigger = Purging(ContinuousEventTimeTrigger[hit](100))
	f := newFleet(t, 1, func() Operator { return NewWindow(spec) })
	var values []hit
	var times []flow.Time
	for k := range int64(20) {
		values = append(values, hit{k, 1}, hit{k, 2})
		times = append(times, 10, 20)
	}
	f.feed(values, times)
	f.rescale(3, func() { f.advanceWatermark(5000) })
	f.advanceWatermark(99)
	if got := f.take(); len(got) != 0 {
		t.Fatalf("fired %v", got)
	}
	f.rescale(2, func() {})
	f.advanceWatermark(100)
	for _, x := range f.take() {
		if x.Stat.Sum != 3 || x.Pane != (Pane{Early, 0}) {
			t.Errorf("%v", x)
		}
		values = values[2:]
	}
	if len(values) != 0 {
		t.Errorf("%d keys did not fire", len(values)/2)
	}
	f.feed([]hit{{4, 7}}, []flow.Time{150})
	f.rescale(1, func() { f.advanceWatermark(5000) })
	f.advanceWatermark(5000)
	if got := f.take(); len(got) != 1 || got[0].Key != 4 || got[0].Stat.Sum != 7 || got[0].Pane.Index != 1 {
		t.Errorf("at the end: %v", got)
	}
}

// forgetful deletes every timer that it might have.
type forgetful struct{ countTrigger[hit] }

func (g forgetful) OnRecord(v *hit, t flow.Time, w Window, c *TriggerContext) Action {
	c.RegisterProcessingTime(t)
	c.DeleteProcessingTime(t)
	c.DeleteEventTime(w.MaxTimestamp())
	return Continue
}

// The timer that cleans a window up is not the trigger's to delete.
func TestTriggerCannotKeepWindowsForEver(t *testing.T) {
	r := openSpec(t, Tumbling{Size: 10}, forgetful{countTrigger[hit]{1}}, 0)
	feedHits(r, [3]int64{1, 1, 5}, [3]int64{2, 1, 5})
	r.watermark(9)
	p := r.op.(*paneWindow[int64, hit, stat, result])
	if p.heads.Len()+p.eventTimers.Len()+p.clockTimers.Len() > 0 {
		t.Errorf("%d keys, %d and %d timers are left over", p.heads.Len(), p.eventTimers.Len(), p.clockTimers.Len())
	}
	wantResults(t, r)
}
