package operators

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/weirstream/weir/flow"
)

// windowModel is windows the plain way: every window of every key has a list of its records.
type windowModel struct {
	size, slide, offset, late flow.Time
	session                   bool // then size is the gap
	noMax                     bool // the aggregate under test leaves Max out
	watermark                 flow.Time
	windows                   map[int64][]*modelWindow
	out                       []result
	dropped                   int64
}

type modelWindow struct {
	Window
	stat  stat
	fired int
}

func newModel() *windowModel {
	return &windowModel{watermark: flow.MinTime, windows: map[int64][]*modelWindow{}}
}

func (m *windowModel) emit(key int64, w *modelWindow, timing Timing, sliced bool) {
	s := w.stat
	if m.noMax {
		s.Max = 0
	}
	n := w.fired
	if sliced {
		n = min(n, 1)
	}
	m.out = append(m.out, result{key, w.Window, s, Pane{timing, n}, w.End - 1})
	w.fired++
}

// find returns the window of a key that v belongs to, made or merged.
func (m *windowModel) find(key int64, w Window) *modelWindow {
	into := &modelWindow{Window: w}
	if !m.session {
		for _, o := range m.windows[key] {
			if o.Window == w {
				return o
			}
		}
	} else {
		var rest []*modelWindow
		for _, o := range m.windows[key] {
			if o.Start <= into.End && into.Start <= o.End {
				mergeStat(&o.stat, &into.stat)
				into = &modelWindow{into.Cover(o.Window), o.stat, max(into.fired, o.fired)}
			} else {
				rest = append(rest, o)
			}
		}
		m.windows[key] = rest
	}
	if into.End-1+m.late <= m.watermark {
		return nil
	}
	m.windows[key] = append(m.windows[key], into)
	return into
}

func (m *windowModel) record(v hit, t flow.Time) {
	var all []Window
	if m.session {
		all = []Window{{t, t + m.size}}
	} else {
		for start := t - m.size - m.slide; start <= t; start++ { // every millisecond, the slow and plain way
			if (start-m.offset)%m.slide == 0 && start+m.size > t {
				all = append(all, Window{start, start + m.size})
			}
		}
	}
	taken := false
	for _, w := range all {
		x := m.find(v.Key, w)
		if x == nil {
			continue
		}
		taken = true
		addStat(&x.stat, &v)
		if x.End-1 <= m.watermark {
			m.emit(v.Key, x, Late, !m.session)
		}
	}
	if !taken && (len(all) > 0 || t+m.late <= m.watermark) {
		m.dropped++
	}
}

func (m *windowModel) advance(to flow.Time) {
	for key, ws := range m.windows {
		var left []*modelWindow
		for _, w := range ws {
			if w.End-1 > m.watermark && w.End-1 <= to {
				m.emit(key, w, OnTime, !m.session)
			}
			if w.End-1+m.late > to {
				left = append(left, w)
			}
		}
		m.windows[key] = left
	}
	m.watermark = to
}

func (m *windowModel) take() []result {
	out := m.out
	m.out = nil
	slices.SortStableFunc(out, compareResults)
	return out
}

// againstModel runs random input through an operator and the model, with snapshots and restores in between.
func againstModel(t *rapid.T, tb testing.TB, m *windowModel, make func() Operator) {
	f := newFleet(tb, rapid.IntRange(1, 3).Draw(t, "parallelism"), make)
	span := int64(m.size+m.slide+m.late) + 10
	keys := rapid.Int64Range(1, 12).Draw(t, "keys")
	base := rapid.SampledFrom([]int64{0, -1000, 1_600_000_000_000}).Draw(t, "base")
	batch := func(label string) (values []hit, times []flow.Time) {
		n := rapid.IntRange(1, 25).Draw(t, label)
		for range n {
			values = append(values, hit{rapid.Int64Range(1, keys).Draw(t, "key"), rapid.Int64Range(-5, 100).Draw(t, "val")})
			times = append(times, flow.Time(base+rapid.Int64Range(-span, span).Draw(t, "time")))
		}
		return values, times
	}
	if d := rapid.IntRange(0, 2).Draw(t, "full"); d > 0 {
		f.each(func(r *rig) { r.full = func() bool { return true } })
	}
	for range rapid.IntRange(1, 25).Draw(t, "steps") {
		switch rapid.IntRange(0, 5).Draw(t, "step") {
		case 0, 1, 2:
			values, times := batch("n")
			for i := range values {
				m.record(values[i], times[i])
			}
			f.feed(values, times)
		case 3, 4:
			base += rapid.Int64Range(0, span).Draw(t, "pass")
			to := max(f.watermark, flow.Time(base-rapid.Int64Range(0, span/2).Draw(t, "lag")))
			m.advance(to)
			f.advanceWatermark(to)
		case 5:
			compare(t, m, f) // what comes of the disturbance is not to be compared
			values, times := batch("disturb")
			f.rescale(rapid.IntRange(1, 3).Draw(t, "rescale"), func() {
				f.feed(values, times)
				f.advanceWatermark(f.watermark.Add(flow.Time(span)))
			})
		}
		compare(t, m, f)
	}
	m.advance(flow.MaxTime / 4)
	f.advanceWatermark(flow.MaxTime / 4)
	compare(t, m, f)
	if got := f.lateDropped(); got != m.dropped {
		t.Fatalf("%d records counted as late, want %d", got, m.dropped)
	}
	f.each(func(r *rig) { f.late = append(f.late, r.late...) })
	if int64(len(f.late)) != m.dropped {
		t.Fatalf("%d records on the late output, want %d", len(f.late), m.dropped)
	}
	f.each(func(r *rig) { mustBeEmpty(t, r.op) })
}

func compare(t *rapid.T, m *windowModel, f *fleet) {
	if diff := cmp.Diff(m.take(), f.take()); diff != "" {
		t.Fatalf("at watermark %d (- model, + operator):\n%s", f.watermark, diff)
	}
}

// mustBeEmpty fails when an operator remembers anything after all windows have passed.
func mustBeEmpty(t *rapid.T, op Operator) {
	if s, ok := op.(squeeze); ok {
		op = s.Operator
	}
	switch p := op.(type) {
	case *sliceWindow[int64, hit, stat, result]:
		if len(p.live) > 0 || p.run != nil && p.run.oldest() != nil {
			t.Fatalf("%d slices are left over", len(p.live))
		}
		switch r := p.run.(type) {
		case *subtracting[int64, hit, stat]:
			if r.sums.Len() > 0 {
				t.Fatalf("%d sums are left over", r.sums.Len())
			}
		case *stacked[int64, hit, stat]:
			if r.front.Len()+r.back.Len() > 0 {
				t.Fatalf("%d keys in the front and %d in the back are left over", r.front.Len(), r.back.Len())
			}
		}
	case *paneWindow[int64, hit, stat, result]:
		if p.heads.Len()+p.eventTimers.Len()+p.clockTimers.Len() > 0 {
			t.Fatalf("%d keys, %d and %d timers are left over", p.heads.Len(), p.eventTimers.Len(), p.clockTimers.Len())
		}
	}
}

func drawGrid(t *rapid.T, m *windowModel) {
	m.size = flow.Time(rapid.Int64Range(1, 40).Draw(t, "size"))
	m.slide = m.size
	if rapid.Bool().Draw(t, "sliding") {
		m.slide = flow.Time(rapid.Int64Range(1, 50).Draw(t, "slide"))
	}
	m.offset = flow.Time(rapid.Int64Range(-60, 60).Draw(t, "offset"))
	drawLateness(t, m)
}

func drawLateness(t *rapid.T, m *windowModel) {
	m.late = flow.Time(rapid.SampledFrom([]int64{0, 0, 1, 7, 30, 100}).Draw(t, "lateness"))
}

func TestSlicesAgainstModel(t *testing.T) {
	for name, agg := range map[string]func() Aggregate[hit, stat]{"retract": sumAgg, "stacks": maxAgg} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				m := newModel()
				m.noMax = name == "retract"
				drawGrid(rt, m)
				spec := statSpec(t, Sliding{Size: m.size, Slide: m.slide, Offset: m.offset}, agg())
				spec.AllowedLateness = m.late
				againstModel(rt, t, m, func() Operator { return NewWindow(spec) })
			})
		})
	}
	t.Run("buffers", func(t *testing.T) {
		rapid.Check(t, func(rt *rapid.T) {
			m := newModel()
			drawGrid(rt, m)
			spec := bufferSpec(t, Sliding{Size: m.size, Slide: m.slide, Offset: m.offset})
			spec.AllowedLateness = m.late
			againstModel(rt, t, m, func() Operator { return NewWindow(spec) })
		})
	})
}

// A trigger that is the default in all but its type: the way of panes has to come to the same as that of slices.
type plainEventTime struct{ eventTimeTrigger[hit] }

func TestPanesAgainstModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := newModel()
		drawGrid(rt, m)
		spec := statSpec(t, Sliding{Size: m.size, Slide: m.slide, Offset: m.offset}, maxAgg())
		spec.AllowedLateness, spec.Trigger = m.late, plainEventTime{}
		againstModel(rt, t, m, func() Operator { return squeeze{NewWindow(spec)} })
	})
}

// squeeze makes the pane's index 0 or 1, as slices have it.
type squeeze struct{ Operator }

func (s squeeze) Open(ctx *Context) error {
	p := s.Operator.(*paneWindow[int64, hit, stat, result])
	emit := p.spec.Emit
	p.spec.Emit = func(f *Firing[int64], acc *stat, out Next[result]) {
		f.Pane.Index = min(f.Pane.Index, 1)
		emit(f, acc, out)
	}
	return s.Operator.Open(ctx)
}

func TestAssignersAgainstEveryMillisecond(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := Sliding{
			Size: flow.Time(rapid.Int64Range(1, 100).Draw(t, "size")), Slide: flow.Time(rapid.Int64Range(1, 100).Draw(t, "slide")),
			Offset: flow.Time(rapid.Int64Range(-300, 300).Draw(t, "offset")),
		}.grid()
		at := flow.Time(rapid.Int64Range(-500, 500).Draw(t, "t"))
		var want []Window
		for start := at - g.size + 1; start <= at; start++ {
			if (start-g.offset)%g.slide == 0 {
				want = append(want, Window{start, start + g.size})
			}
		}
		got := g.assign(at, nil)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("windows of %d: %s", at, diff)
		}
		s := g.slice(at)
		if !s.Contains(at) {
			t.Fatalf("slice %d-%d does not have %d", s.Start, s.End, at)
		}
		for x := s.Start; x < s.End; x++ { // all of a slice is in the same windows
			if diff := cmp.Diff(want, g.assign(x, nil)); diff != "" {
				t.Fatalf("slice %d-%d: windows of %d are not those of %d: %s", s.Start, s.End, x, at, diff)
			}
		}
		first, last, ok := g.windowsOf(s)
		if ok != (len(want) > 0) {
			t.Fatalf("slice %d-%d is in windows: %v, but they are %v", s.Start, s.End, ok, want)
		}
		if ok && (first != want[0] || last != want[len(want)-1]) {
			t.Fatalf("windows of a slice are %v to %v, want %v", first, last, want)
		}
		if g.size%g.slide == 0 && len(want) != int(g.size/g.slide) {
			t.Fatalf("%d is in %d windows, want %d", at, len(want), g.size/g.slide)
		}
	})
}

func TestAssignersAtTheEndsOfTime(t *testing.T) {
	for _, a := range []Sliding{
		{Size: 1, Slide: 1}, {Size: 1000, Slide: 7, Offset: 3}, {Size: 10, Slide: 1000, Offset: -9}, {Size: maxWindowSpan, Slide: maxWindowSpan},
	} {
		g := a.grid()
		for _, at := range []flow.Time{flow.MinTime, flow.MinTime + 1, flow.MaxTime - 1, flow.MaxTime} {
			for _, w := range append(g.assign(at, nil), g.slice(at)) {
				if w.Start >= w.End {
					t.Errorf("%+v at %d: window %d-%d", a, int64(at), w.Start, w.End)
				}
			}
		}
	}
	spec := statSpec(t, Sliding{Size: 60, Slide: 7}, maxAgg())
	spec.AllowedLateness = 100
	r := openRig(t, NewWindow(spec), 0, 1, 0, nil, flow.MinTime)
	b := flow.NewRecords[hit](4)
	for _, at := range []flow.Time{flow.MinTime + 1, 0, flow.MaxTime - 1, flow.MaxTime} {
		b.Append(&hit{1, 1}, at)
	}
	r.feed(b)
	r.watermark(flow.MaxTime)
	n := int64(0)
	for _, x := range r.take() {
		n += x.Stat.Count
	}
	if want := int64(4 * 8); n < want || n > want+4 { // 60/7 windows each, rounded either way
		t.Errorf("4 records counted %d times in 8 or 9 windows each", n)
	}
}

func TestRecordWithoutTimeFails(t *testing.T) {
	for _, a := range []Assigner{Tumbling{Size: 10}, Session{Gap: 10}} {
		r := openRig(t, NewWindow(statSpec(t, a, maxAgg())), 0, 1, 0, nil, flow.MinTime)
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%T: a record without a timestamp was taken", a)
				}
			}()
			b := flow.NewRecords[hit](1)
			b.Append(&hit{1, 1}, flow.MinTime)
			r.feed(b)
		}()
	}
}

func TestWindowSpecCheck(t *testing.T) {
	good := func() WindowSpec[int64, hit, stat, result] { return statSpec(t, Tumbling{Size: 10}, maxAgg()) }
	if s := good(); s.Check() != nil {
		t.Fatal(s.Check())
	}
	for name, spoil := range map[string]func(s *WindowSpec[int64, hit, stat, result]){
		"no key":           func(s *WindowSpec[int64, hit, stat, result]) { s.Key = nil },
		"no assigner":      func(s *WindowSpec[int64, hit, stat, result]) { s.Assigner = nil },
		"no add":           func(s *WindowSpec[int64, hit, stat, result]) { s.Aggregate.Add = nil },
		"no emit":          func(s *WindowSpec[int64, hit, stat, result]) { s.Emit = nil },
		"lateness":         func(s *WindowSpec[int64, hit, stat, result]) { s.AllowedLateness = -1 },
		"size":             func(s *WindowSpec[int64, hit, stat, result]) { s.Assigner = Tumbling{} },
		"slide":            func(s *WindowSpec[int64, hit, stat, result]) { s.Assigner = Sliding{Size: 10} },
		"too many windows": func(s *WindowSpec[int64, hit, stat, result]) { s.Assigner = Sliding{Size: 1 << 30, Slide: 1} },
		"gap":              func(s *WindowSpec[int64, hit, stat, result]) { s.Assigner = Session{} },
		"no gap":           func(s *WindowSpec[int64, hit, stat, result]) { s.Assigner = SessionBy[hit]{} },
		"other record type": func(s *WindowSpec[int64, hit, stat, result]) {
			s.Assigner = SessionBy[int]{Gap: func(*int) flow.Time { return 1 }}
		},
		"global, no trigger": func(s *WindowSpec[int64, hit, stat, result]) {
			s.Assigner = Global{}
		},
		"sliding, no merge": func(s *WindowSpec[int64, hit, stat, result]) {
			s.Assigner, s.Aggregate.Merge = Sliding{Size: 10, Slide: 5}, nil
		},
		"count trigger": func(s *WindowSpec[int64, hit, stat, result]) { s.Trigger = Purging(CountTrigger[hit](0)) },
	} {
		s := good()
		spoil(&s)
		if s.Check() == nil {
			t.Errorf("%s: no error", name)
		}
		if err := NewWindow(s).Open(&Context{}); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
}

// A firing of many keys comes in turns of firingBudget results, and of firingCheck when the outputs are full, each key
// once.
func TestFiringInTurns(t *testing.T) {
	const keys = 3*firingBudget + 17
	for _, c := range []struct {
		a    Assigner
		agg  Aggregate[hit, stat]
		full bool
	}{
		{Tumbling{Size: 100}, maxAgg(), false}, {Tumbling{Size: 100}, maxAgg(), true}, {Session{Gap: 100}, maxAgg(), true},
		{Sliding{Size: 100, Slide: 20}, sumAgg(), true}, {Sliding{Size: 100, Slide: 20}, maxAgg(), true},
	} {
		t.Run(fmt.Sprintf("%T full %v", c.a, c.full), func(t *testing.T) {
			r := openRig(t, NewWindow(statSpec(t, c.a, c.agg)), 0, 1, 0, nil, flow.MinTime)
			r.full = func() bool { return c.full }
			b := flow.NewRecords[hit](keys)
			for k := range int64(keys) {
				b.Append(&hit{k, 1}, 50)
			}
			r.feed(b)
			seen := map[Window]map[int64]bool{}
			for turns := 0; ; turns++ {
				done := r.op.Watermark(flow.Watermark{Time: 1000})
				out := r.take()
				if len(out) > firingBudget || c.full && len(out) > firingCheck {
					t.Fatalf("%d results in one turn", len(out))
				}
				for _, x := range out {
					if seen[x.Window] == nil {
						seen[x.Window] = map[int64]bool{}
					}
					if seen[x.Window][x.Key] {
						t.Fatalf("%v fired twice", x)
					}
					seen[x.Window][x.Key] = true
				}
				if done {
					break
				}
				if turns > 100*keys {
					t.Fatal("no end")
				}
			}
			want := 1
			if s, ok := c.a.(Sliding); ok {
				want = int(s.Size / s.Slide)
			}
			if len(seen) != want {
				t.Errorf("%d windows, want %d", len(seen), want)
			}
			for w, ks := range seen {
				if len(ks) != keys {
					t.Errorf("%v: %d keys, want %d", w, len(ks), keys)
				}
			}
			if n := r.ctx.Counters.Fired.Load(); n != int64(want*keys) {
				t.Errorf("%d firings counted, want %d", n, want*keys)
			}
		})
	}
}

func TestProcessingTimeWindows(t *testing.T) {
	for _, trigger := range []Trigger[hit]{nil, purging[hit]{processingTimeTrigger[hit]{}}} {
		spec := statSpec(t, Sliding{Size: 20, Slide: 10, ProcessingTime: true}, sumAgg())
		spec.Trigger = trigger
		r := openRig(t, NewWindow(spec), 0, 1, 1000, nil, flow.MinTime)
		one := func(v int64) {
			b := flow.NewRecords[hit](1)
			b.Append(&hit{7, v}, flow.MinTime)
			r.feed(b)
		}
		r.watermark(50_000) // event time does not matter
		one(1)              // 1000: windows [990,1010) and [1000,1020)
		r.advance(1005)
		one(2)
		r.advance(1012) // [990,1010) has fired
		one(4)          // [1000,1020) and [1010,1030)
		r.advance(1100)
		var got []string
		for _, x := range r.take() {
			got = append(got, x.String())
		}
		want := []string{
			"7 [990,1010) sum 3 of 2 max 0 ON_TIME 0", "7 [1000,1020) sum 7 of 3 max 0 ON_TIME 0", "7 [1010,1030) sum 4 of 1 max 0 ON_TIME 0",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("trigger %T: %s", trigger, diff)
		}
		if r.wake != flow.MaxTime {
			t.Errorf("trigger %T: a wake-up at %d is left", trigger, r.wake)
		}
	}
}

// Processing-time windows that were open when a snapshot was taken fire after the restore, however late that is; those
// that are open when the input ends fire then.
func TestProcessingTimeRestoreAndFinish(t *testing.T) {
	for _, a := range []Assigner{Tumbling{Size: 10, ProcessingTime: true}, Session{Gap: 10, ProcessingTime: true}} {
		f := newFleet(t, 1, func() Operator { return NewWindow(statSpec(t, a, maxAgg())) })
		f.rigs[0].clock.Set(1000)
		f.feed([]hit{{1, 5}, {2, 6}}, []flow.Time{0, 0})
		f.rescale(2, func() { f.each(func(r *rig) { r.advance(2000) }) })
		f.each(func(r *rig) { r.advance(5000) })
		if got := f.take(); len(got) != 2 || got[0].Window != (Window{1000, 1010}) {
			t.Errorf("%T: after the restore: %v", a, got)
		}
		f.feed([]hit{{1, 8}}, []flow.Time{0})
		f.each(func(r *rig) { r.repeat(r.op.Finish) })
		if got := f.take(); len(got) != 1 || got[0].Stat.Sum != 8 {
			t.Errorf("%T: at the end: %v", a, got)
		}
	}
}

// Windows of one key group order fire by their end, keys in the order in which they came.
func TestSlicesFireInOrder(t *testing.T) {
	r := openRig(t, NewWindow(statSpec(t, Tumbling{Size: 10}, maxAgg())), 0, 1, 0, nil, flow.MinTime)
	b := flow.NewRecords[hit](8)
	for _, x := range []struct{ k, t int64 }{{5, 11}, {9, 1}, {3, 12}, {1, 2}, {9, 3}, {5, 4}} {
		b.Append(&hit{x.k, 1}, flow.Time(x.t))
	}
	r.feed(b)
	r.watermark(100)
	var got []int64
	for _, x := range r.take() {
		got = append(got, x.Key)
	}
	if want := []int64{9, 1, 5, 5, 3}; !slices.Equal(got, want) {
		t.Errorf("fired %v, want %v", got, want)
	}
}

func TestReduce(t *testing.T) {
	type spec = WindowSpec[int64, hit, Reduced[hit], result]
	codecs := bufferSpec(t, Tumbling{Size: 10}).Aggregate.Codec.(bufferCodec[hit])
	s := spec{
		Key: func(v *hit) int64 { return v.Key }, KeyType: keyOf[int64](t), Assigner: Sliding{Size: 20, Slide: 10},
		Aggregate: ReduceAggregate(func(a, v *hit) { a.Val = a.Val*10 + v.Val }, codecs.elem),
		Emit: func(f *Firing[int64], acc *Reduced[hit], out Next[result]) {
			if !acc.Set {
				t.Error("an empty accumulator fired")
			}
			out(&result{Key: f.Key, Window: f.Window, Stat: stat{Sum: acc.Value.Val}}, f.Window.MaxTimestamp())
		},
	}
	f := newFleet(t, 1, func() Operator { return NewWindow(s) })
	f.feed([]hit{{1, 1}, {1, 2}, {1, 3}}, []flow.Time{1, 2, 15})
	f.rescale(2, func() { f.feed([]hit{{1, 9}}, []flow.Time{1}) })
	f.advanceWatermark(100)
	var sums []int64
	for _, x := range f.take() {
		sums = append(sums, x.Stat.Sum)
	}
	if want := []int64{12, 123 - 0, 3}; !slices.Equal(sums, want) {
		t.Errorf("%v, want %v", sums, want)
	}
}
