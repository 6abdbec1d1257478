package flow

import "testing"

func TestRecordsKeepTheirMemory(t *testing.T) {
	r := NewRecords[string](2)
	for i, v := range []string{"a", "b"} {
		r.Append(&v, Time(i))
	}
	r.Marks = append(r.Marks, Mark{At: 2, Time: 1})
	if r.Len() != 2 || len(r.Times) != 2 || r.Values[1] != "b" || r.Times[1] != 1 || len(r.Watermarks()) != 1 {
		t.Errorf("got %+v", r)
	}
	first := &r.Values[0]
	r.Reset()
	if r.Len() != 0 || len(r.Times) != 0 || len(r.Watermarks()) != 0 {
		t.Errorf("after Reset %+v", r)
	}
	v := "c"
	if n := testing.AllocsPerRun(10, func() { r.Reset(); r.Append(&v, 5) }); n != 0 || &r.Values[0] != first {
		t.Errorf("a batch that was reset allocates %v times to be filled again", n)
	}
}

func TestElementsPrint(t *testing.T) {
	for want, got := range map[string]string{
		"watermark 1970-01-01T00:00:00.001Z": Watermark{Time: 1}.String(),
		"watermark idle max":                 Watermark{Time: MaxTime, Idle: true}.String(),
		"barrier 7 (stop)":                   Barrier{Checkpoint: 7, Kind: Stop}.String(),
		"barrier 1 (periodic)":               Barrier{Checkpoint: 1}.String(),
		"BarrierKind(9)":                     BarrierKind(9).String(),
		"final":                              Final.String(),
		"end of input":                       EndOfInput{}.String(),
		"3.1":                                SubtaskID{Vertex: 3, Index: 1}.String(),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestTimeStopsAtItsEnds(t *testing.T) {
	for _, c := range []struct{ t, d, want Time }{
		{1, 2, 3}, {1, -2, -1}, {MaxTime, 1, MaxTime}, {MaxTime - 1, 5, MaxTime}, {MinTime, -1, MinTime}, {MinTime, MaxTime, -1},
		{5, MinTime, MinTime + 5}, {-5, MinTime, MinTime},
	} {
		if got := c.t.Add(c.d); got != c.want {
			t.Errorf("%d + %d = %d, want %d", c.t, c.d, got, c.want)
		}
	}
}
