package memory

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/weirstream/weir/connectors"
	"github.com/weirstream/weir/connectors/connectortest"
	"github.com/weirstream/weir/flow"
)

func TestSource(t *testing.T) {
	values := []string{"a", "b", "c", "d", "e"}
	connectortest.VerifySource(t, Source(values, nil), values)
	connectortest.VerifySource(t, Source(values, nil, Splits(2), Pull()), []string{"a", "c", "e", "b", "d"})
	connectortest.VerifySource(t, Source(values, nil, Splits(9)), values)
	connectortest.VerifySource(t, Source[string](nil, nil), []string{})
	r := connectortest.VerifySource(t, TimedSource([]Timed[string]{{"x", 5}, {"y", 3}}), []string{"x", "y"})
	if r.Records[0].Time != 5 || r.Records[1].Time != 3 {
		t.Errorf("records %+v", r.Records)
	}
	r = connectortest.VerifySource(t, Source([]string{"x"}, nil), nil)
	if r.Records[0].Time != flow.MinTime {
		t.Errorf("a record without a time has %v", r.Records[0].Time)
	}
}

func TestSourceMistakes(t *testing.T) {
	for _, c := range []struct {
		src  connectors.Source[int]
		want string
	}{
		{Source([]int{1, 2}, []flow.Time{1}), "2 values have 1 times"},
		{Source([]int{1}, nil, Splits(0)), "Splits(0) is not from 1 to 65536"},
	} {
		if err := c.src.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Check: %v, want %q", err, c.want)
		}
	}
	for _, pull := range []bool{false, true} {
		var opts []Option
		want := connectors.Eager
		if pull {
			opts, want = []Option{Pull()}, connectors.Pull
		}
		e, err := Source([]int{1}, nil, opts...).Enumerator()
		if err != nil || e.Assignment() != want {
			t.Errorf("assignment %v, %v, want %v", e.Assignment(), err, want)
		}
	}
}

func FuzzPosition(f *testing.F) {
	f.Add(encodePosition(5, 2))
	f.Fuzz(func(t *testing.T, b []byte) {
		next, step, err := decodePosition(b)
		if err != nil {
			return
		}
		if n, s, err := decodePosition(encodePosition(next, step)); err != nil || n != next || s != step {
			t.Errorf("%d %d, again %d %d, %v", next, step, n, s, err)
		}
	})
}

func TestCollectorExactlyOnce(t *testing.T) {
	records := make([]int, 11)
	for i := range records {
		records[i] = i
	}
	connectortest.VerifySink(t, connectortest.SinkCase[int]{Records: records, All: true, New: func(testing.TB) (connectors.Sink[int], func() []int) {
		c := Collect[int]()
		return c, c.Values
	}})
}

func TestCollectorViews(t *testing.T) {
	c := Collect[int]()
	ctx := connectors.WriterContext{Run: "r", Attempt: 1}
	w, err := c.Writer(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	k, err := c.Committer(ctx)
	if err != nil {
		t.Fatal(err)
	}
	put := func(values ...int) {
		for _, v := range values {
			if err := w.Write(&v, flow.Time(v)); err != nil {
				t.Fatal(err)
			}
		}
	}
	put(3, 1)
	if len(c.Written()) != 0 {
		t.Error("records are shown before Flush")
	}
	changed := c.Changed()
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-changed:
	default:
		t.Error("Flush told nobody")
	}
	first, err := w.Prepare(1, false)
	if err != nil {
		t.Fatal(err)
	}
	put(2)
	second, err := w.Prepare(2, true)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Written(); !reflect.DeepEqual(got, []Timed[int]{{3, 3}, {1, 1}, {2, 2}}) {
		t.Errorf("Written %v", got)
	}
	if got := c.Committed(); len(got) != 0 {
		t.Errorf("Committed %v before any commit", got)
	}
	for _, committables := range [][][]byte{second, first, first} {
		if err := k.Commit(context.Background(), committables); err != nil {
			t.Fatal(err)
		}
	}
	if got := c.Values(); !reflect.DeepEqual(got, []int{3, 1, 2}) {
		t.Errorf("Values %v", got)
	}
	if got := c.Sorted(cmp.Compare); !reflect.DeepEqual(got, []int{1, 2, 3}) {
		t.Errorf("Sorted %v", got)
	}
	if err := k.Commit(context.Background(), [][]byte{[]byte(`{"Run":"other"}`)}); err == nil || !strings.Contains(err.Error(), "nothing was prepared in this process") {
		t.Errorf("Commit of what another process prepared: %v", err)
	}
	if err := k.Commit(context.Background(), [][]byte{[]byte("x")}); err == nil {
		t.Error("nonsense was committed")
	}
}

func TestCollectorConcurrently(t *testing.T) {
	c := Collect[int]()
	var all sync.WaitGroup
	for subtask := range 4 {
		all.Go(func() { // ends by itself; Wait below
			ctx := connectors.WriterContext{Run: "r", Subtask: subtask, Attempt: 1}
			w, _ := c.Writer(ctx, nil)
			k, _ := c.Committer(ctx)
			for id := range flow.CheckpointID(20) {
				for i := range 100 {
					v := (subtask*20+int(id))*100 + i
					if err := w.Write(&v, 0); err != nil {
						t.Error(err)
					}
				}
				committables, err := w.Prepare(id+1, false)
				if err != nil {
					t.Error(err)
				}
				if err := k.Commit(context.Background(), committables); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for i, v := range c.Sorted(cmp.Compare) {
		if i != v {
			t.Fatalf("number %d is %d", i, v)
		}
	}
	if n := len(c.Written()); n != 8000 {
		t.Errorf("%d records, want 8000", n)
	}
}

func ExampleCollect() {
	sink := Collect[string]()
	ctx := connectors.WriterContext{Run: "run", Parallelism: 1, Attempt: 1}
	w, _ := sink.Writer(ctx, nil)
	k, _ := sink.Committer(ctx)
	v := "seen once"
	_ = w.Write(&v, 0)
	committables, _ := w.Prepare(1, true)
	fmt.Println(sink.Values())
	_ = k.Commit(context.Background(), committables)
	_ = k.Commit(context.Background(), committables)
	fmt.Println(sink.Values())
	// Output:
	// []
	// [seen once]
}
