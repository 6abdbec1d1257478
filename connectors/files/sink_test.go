package files

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weirstream/weir/connectors"
	"github.com/weirstream/weir/connectors/connectortest"
	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/timeservice"
)

func writerContext(attempt flow.Attempt) connectors.WriterContext {
	return connectors.WriterContext{Job: "j", UID: "u", Name: "out", Parallelism: 1, Attempt: attempt, Run: "r-1", Fresh: attempt == 1, Clock: timeservice.NewManual(0)}
}

func newWriter[T any](t testing.TB, s connectors.Sink[T], ctx connectors.WriterContext, states ...[]byte) connectors.Writer[T] {
	t.Helper()
	w, err := s.Writer(ctx, states)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func prepare[T any](t testing.TB, w connectors.Writer[T], last bool) (committables, states [][]byte) {
	t.Helper()
	committables, err := w.Prepare(1, last)
	if err != nil {
		t.Fatal(err)
	}
	if states, err = w.Snapshot(); err != nil {
		t.Fatal(err)
	}
	return committables, states
}

func commit[T any](s connectors.Sink[T], ctx connectors.WriterContext, committables [][]byte) error {
	c, err := s.Committer(ctx)
	if err != nil {
		return err
	}
	return c.Commit(context.Background(), committables)
}

func write[T any](t testing.TB, w connectors.Writer[T], records ...T) {
	t.Helper()
	for i := range records {
		if err := w.Write(&records[i], 0); err != nil {
			t.Fatal(err)
		}
	}
}

func writeAll[T any](t testing.TB, s connectors.Sink[T], records []T) {
	t.Helper()
	ctx := writerContext(1)
	w := newWriter(t, s, ctx)
	write(t, w, records...)
	committables, _ := prepare(t, w, true)
	if err := commit(s, ctx, committables); err != nil {
		t.Fatal(err)
	}
}

// names lists a directory; temporary parts begin with '.'.
func names(t testing.TB, dir string) (visible, temporary []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			temporary = append(temporary, e.Name())
		} else {
			visible = append(visible, e.Name())
		}
	}
	return visible, temporary
}

// With -v, every combination of crashes; it takes some seconds.
func TestSinksExactlyOnce(t *testing.T) {
	records := make([]order2, 8)
	for i := range records {
		records[i] = order2{i, fmt.Sprint("item ", i)}
	}
	csv := func(dir string, opts ...SinkOption) (connectors.Sink[order2], connectors.Source[order2]) {
		return CSVSink[order2](dir, opts...), CSV[order2](dir)
	}
	json := func(dir string, opts ...SinkOption) (connectors.Sink[order2], connectors.Source[order2]) {
		return JSONSink[order2](dir, opts...), JSON[order2](dir)
	}
	for _, c := range []struct {
		name    string
		make    func(dir string, opts ...SinkOption) (connectors.Sink[order2], connectors.Source[order2])
		options []SinkOption
	}{
		{"json, one part", json, nil},
		{"json, by size", json, []SinkOption{RollSize(60)}},
		{"json, by age", json, []SinkOption{RollAge(4 * time.Millisecond)}},
		{"csv, every checkpoint", csv, []SinkOption{RollOnCheckpoint()}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var dir string
			connectortest.VerifySink(t, connectortest.SinkCase[order2]{
				Records: records, All: testing.Verbose() && !testing.Short(),
				New: func(t testing.TB) (connectors.Sink[order2], func() []order2) {
					dir = t.TempDir()
					sink, source := c.make(dir, c.options...)
					return sink, func() []order2 {
						if visible, _ := names(t, dir); len(visible) == 0 {
							return nil
						}
						r, err := connectortest.ReadAll(source)
						if err != nil || len(r.Rejects) > 0 {
							t.Fatalf("reading what was written: %v, %+v", err, r.Rejects)
						}
						return r.Values()
					}
				},
				AtEnd: func(t testing.TB, how string, zombies bool) {
					if _, left := names(t, dir); len(left) > 0 && !zombies {
						t.Fatalf("%s: left behind: %q", how, left)
					}
					if err := os.RemoveAll(dir); err != nil {
						t.Fatal(err)
					}
				},
			})
		})
	}
}

type order2 struct {
	ID   int    `json:"id" csv:"id"`
	Item string `json:"item" csv:"item"`
}

func TestRolling(t *testing.T) {
	dir := t.TempDir()
	ctx := writerContext(1)
	clock := timeservice.NewManual(0)
	ctx.Clock = clock
	w := newWriter(t, JSONSink[int](dir, RollAge(time.Second), RollSize(100)), ctx)
	write(t, w, 1)
	clock.Set(999)
	if c, _ := prepare(t, w, false); len(c) != 0 {
		t.Errorf("%d committables of a young part", len(c))
	}
	clock.Set(1000)
	if c, _ := prepare(t, w, false); len(c) != 1 {
		t.Errorf("%d committables of an old part", len(c))
	}
	if c, _ := prepare(t, w, false); len(c) != 0 {
		t.Errorf("%d committables of no part", len(c))
	}
	for range 120 {
		write(t, w, 1)
	}
	if c, _ := prepare(t, w, false); len(c) != 2 { // 240 bytes in parts of 100
		t.Errorf("%d committables of full parts", len(c))
	}
	if c, _ := prepare(t, w, true); len(c) != 1 {
		t.Errorf("%d committables at the end", len(c))
	}
	if visible, temporary := names(t, dir); len(visible) != 0 || len(temporary) != 4 {
		t.Errorf("before a commit %q and %q", visible, temporary)
	}
}

func TestJSONSinkBytes(t *testing.T) {
	dir := t.TempDir()
	writeAll(t, JSONSink[map[string]any](dir), []map[string]any{{"b": "<&>", "a": 1}, {"t": "\n"}})
	visible, _ := names(t, dir)
	if len(visible) != 1 {
		t.Fatalf("files %q", visible)
	}
	b, err := os.ReadFile(filepath.Join(dir, visible[0]))
	if want := "{\"a\":1,\"b\":\"<&>\"}\n{\"t\":\"\\n\"}\n"; err != nil || string(b) != want {
		t.Errorf("%s, %v, want %s", b, err, want)
	}
}

func TestSinkMistakes(t *testing.T) {
	dir := t.TempDir()
	file := put(t, dir, "file", "")
	for _, c := range []struct {
		name string
		sink interface{ Check() error }
		want string
	}{
		{"no directory", JSONSink[int](""), "no directory was given"},
		{"a file in the way", JSONSink[int](file), "file: not a directory"},
		{"below a file", JSONSink[int](filepath.Join(file, "x")), "not a directory"},
		{"size", JSONSink[int](dir, RollSize(0)), "RollSize(0) is not positive"},
		{"age", JSONSink[int](dir, RollAge(0)), "RollAge(0s) is not positive"},
		{"no JSON", JSONSink[chan int](dir), "chan int cannot be written as JSON"},
		{"no struct", CSVSink[int](dir), "int is none"},
		{"comma", CSVSink[order2](dir, SinkComma('\n')), "cannot separate fields"},
		{"comma for JSON", JSONSink[int](dir, SinkComma(';')), "is for CSV files only"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := c.sink.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Check: %v, want %q", err, c.want)
			}
		})
	}
	made := filepath.Join(dir, "made", "by", "check")
	if err := JSONSink[int](made).Check(); err != nil {
		t.Error(err)
	}
	if visible, temporary := names(t, made); len(visible)+len(temporary) != 0 {
		t.Errorf("Check left %q %q behind", visible, temporary)
	}
}

func TestWriteErrors(t *testing.T) {
	dir := t.TempDir()
	ctx := writerContext(1)
	sink := JSONSink[float64](dir)
	w := newWriter(t, sink, ctx)
	write(t, w, 1)
	nan := func() float64 { z := 0.0; return z / z }()
	if err := w.Write(&nan, 0); err == nil || !strings.Contains(err.Error(), "a record cannot be written") {
		t.Errorf("NaN: %v", err)
	}
	twin := newWriter(t, sink, ctx)
	one := 1.0
	if err := twin.Write(&one, 0); err == nil || !strings.Contains(err.Error(), "two writers have the same run") {
		t.Errorf("a second writer of the same attempt: %v", err)
	}
	full := w.(*writer[float64]).failed(part{dir: dir}, &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC})
	if !strings.Contains(full.Error(), "no space is left for "+dir) {
		t.Errorf("full disk: %v", full)
	}
	ctx.Run = ""
	if _, err := sink.Writer(ctx, nil); err == nil || !strings.Contains(err.Error(), "no run id") {
		t.Errorf("no run: %v", err)
	}
}

// crashed writes 1 and 2 in attempt 1, with a checkpoint after 1, whose state it returns.
func crashed(t testing.TB, sink connectors.Sink[int]) [][]byte {
	t.Helper()
	w := newWriter(t, sink, writerContext(1))
	write(t, w, 1)
	_, states := prepare(t, w, false)
	write(t, w, 2)
	prepare(t, w, false)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return states
}

func TestRestoreErrors(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(t testing.TB, temp string, states [][]byte)
		want   string
	}{
		{"gone", func(t testing.TB, temp string, _ [][]byte) { must(t, os.Remove(temp)) }, "is gone, and with it 2 bytes"},
		{"too short", func(t testing.TB, temp string, _ [][]byte) { must(t, os.Truncate(temp, 1)) }, "has 1 bytes, but the checkpoint counts on 2"},
		{"state", func(t testing.TB, _ string, states [][]byte) { states[0] = states[0][:5] }, "these bytes were not written by this connector"},
		{"release", func(t testing.TB, _ string, states [][]byte) { states[0][0] = 9 }, "format 9 is not known"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			sink := JSONSink[int](dir)
			states := crashed(t, sink)
			_, temporary := names(t, dir)
			c.damage(t, filepath.Join(dir, temporary[0]), states)
			if _, err := sink.Writer(writerContext(2), states); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("restore: %v, want %q", err, c.want)
			}
		})
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A checkpoint before the newest: the newest has made its open part visible.
func TestRestoreOfAnOlderCheckpoint(t *testing.T) {
	dir := t.TempDir()
	sink := JSONSink[int](dir)
	w := newWriter(t, sink, writerContext(1))
	write(t, w, 1)
	_, old := prepare(t, w, false)
	write(t, w, 2)
	committables, _ := prepare(t, w, true)
	must(t, commit(sink, writerContext(1), committables))
	w = newWriter(t, sink, writerContext(2), old...)
	write(t, w, 2)
	committables, _ = prepare(t, w, true)
	must(t, commit(sink, writerContext(2), committables))
	r, err := connectortest.ReadAll(JSON[int](dir))
	if err != nil || fmt.Sprint(r.Values()) != "[1 2 2]" {
		t.Errorf("%v, %v, want 1 once and 2 again", r.Values(), err)
	}
}

func TestCommitConflicts(t *testing.T) {
	dir := t.TempDir()
	sink := JSONSink[int](dir)
	ctx := writerContext(1)
	w := newWriter(t, sink, ctx)
	write(t, w, 1)
	committables, _ := prepare(t, w, true)
	k, err := decodeCommittable(committables[0])
	must(t, err)
	temp, final := k.part.temp(), k.part.final()

	must(t, os.WriteFile(final, []byte("9\n"), 0o666))
	if err := commit(sink, ctx, committables); err == nil || !strings.Contains(err.Error(), "is there already and is another file") {
		t.Errorf("another file has the final name: %v", err)
	}
	if b, _ := os.ReadFile(final); string(b) != "9\n" {
		t.Errorf("it was overwritten with %q", b)
	}
	must(t, os.Remove(final))

	must(t, os.Link(temp, final)) // a crash between link and remove
	must(t, commit(sink, ctx, committables))
	if visible, temporary := names(t, dir); len(visible) != 1 || len(temporary) != 0 {
		t.Errorf("after a commit that was cut short and done again: %q, %q", visible, temporary)
	}
	must(t, commit(sink, ctx, committables))

	must(t, os.WriteFile(final, []byte("1\n1\n"), 0o666))
	if err := commit(sink, ctx, committables); err == nil || !strings.Contains(err.Error(), "has 4 bytes, and the part that was committed had 2") {
		t.Errorf("the final file was changed: %v", err)
	}
	must(t, os.Remove(final))
	if err := commit(sink, ctx, committables); err == nil || !strings.Contains(err.Error(), "is gone before it was committed") {
		t.Errorf("both gone in the same attempt: %v", err)
	}
	must(t, commit(sink, writerContext(2), committables)) // taken away by the user since

	must(t, os.WriteFile(temp, []byte("1\n1\n"), 0o666))
	if err := commit(sink, ctx, committables); err == nil || !strings.Contains(err.Error(), "has 4 bytes, and 2 were prepared") {
		t.Errorf("the temporary part was changed: %v", err)
	}
	if err := commit(sink, ctx, [][]byte{[]byte("nonsense")}); err == nil {
		t.Error("nonsense was committed")
	}
}

// Parts of other runs and other steps stay, and so does what a checkpoint may need.
func TestCleaning(t *testing.T) {
	for _, c := range []struct {
		name  string
		setup func(ctx *connectors.WriterContext, s *writerState)
		parts string // subtask, attempt and number of leftovers of this run and step
		stay  string
	}{
		{"the state's writer", func(*connectors.WriterContext, *writerState) {},
			"0-2-4 0-2-5 0-2-6 0-2-7 0-1-9 0-3-0 0-4-2 0-5-9 0-6-0", "0-1-9 0-2-4 0-2-5 0-5-9 0-6-0"},
		{"nothing was open", func(_ *connectors.WriterContext, s *writerState) { s.open = false }, "0-2-4 0-2-5 0-2-6", "0-2-4"},
		{"other subtasks", func(*connectors.WriterContext, *writerState) {}, "1-1-0 1-2-9 1-3-0 2-2-0 2-3-0 5-4-1", "1-1-0 1-2-9 1-3-0 2-2-0"},
		{"of subtask 1", func(ctx *connectors.WriterContext, s *writerState) { ctx.Subtask, s.part.subtask = 1, 1 },
			"0-3-0 1-2-4 1-2-6 1-3-1 2-3-0", "0-3-0 1-2-4 2-3-0"},
		{"fresh", func(ctx *connectors.WriterContext, s *writerState) { ctx.Fresh, s.part.owner = true, "" },
			"0-1-0 0-4-7 0-5-0 1-4-0 2-1-0 3-1-0", "0-5-0 1-4-0 3-1-0"},
		{"no state, not fresh", func(_ *connectors.WriterContext, s *writerState) { s.part.owner = "" }, "0-1-0 1-1-0", "0-1-0 1-1-0"},
		{"of a savepoint", func(_ *connectors.WriterContext, s *writerState) { s.part.owner = "other-00000000" }, "0-1-0 1-4-0 0-5-9", "0-5-9"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			ctx := writerContext(5)
			ctx.Parallelism = 2
			s := writerState{part: part{dir: dir, owner: ownerOf(ctx), attempt: 2, n: 5, ext: "jsonl"}, parallelism: 2, open: true, size: 2}
			c.setup(&ctx, &s)
			for _, name := range strings.Fields(c.parts) {
				put(t, dir, ".part-"+ownerOf(ctx)+"-"+name+".jsonl.inprogress", "1\n")
			}
			foreign := []string{".part-other-00000000-0-1-0.jsonl.inprogress", ".part-r~2d1-00000000-0-1-0.jsonl.inprogress", ".mine", "part-x.jsonl"}
			for _, name := range foreign {
				put(t, dir, name, "1\n")
			}
			var states [][]byte
			if s.part.owner != "" {
				if s.open {
					put(t, dir, filepath.Base(s.part.temp()), "1\n")
				}
				states = append(states, s.encode())
			}
			must(t, newWriter(t, JSONSink[int](dir), ctx, states...).Close())
			left := map[string]bool{}
			visible, temporary := names(t, dir)
			for _, name := range append(visible, temporary...) {
				left[name] = true
			}
			for _, name := range foreign {
				if !left[name] {
					t.Errorf("%s was removed", name)
				}
			}
			for _, name := range strings.Fields(c.parts) {
				stays := slices.Contains(strings.Fields(c.stay), name)
				if left[".part-"+ownerOf(ctx)+"-"+name+".jsonl.inprogress"] != stays {
					t.Errorf("%s: stays is %v, want %v", name, !stays, stays)
				}
			}
		})
	}
}

func TestCommitWithoutHardLinks(t *testing.T) {
	dir := t.TempDir()
	temp, final := put(t, dir, ".temp", "1\n"), filepath.Join(dir, "final")
	must(t, renameNew(temp, final, syscall.ENOTSUP))
	if visible, temporary := names(t, dir); len(visible) != 1 || len(temporary) != 0 {
		t.Errorf("after the rename %q, %q", visible, temporary)
	}
	temp = put(t, dir, ".temp", "2\n")
	if err := renameNew(temp, final, syscall.ENOTSUP); err == nil || !strings.Contains(err.Error(), "cannot get its final name") {
		t.Errorf("over another file: %v", err)
	}
	if b, _ := os.ReadFile(final); string(b) != "1\n" {
		t.Errorf("it was overwritten with %q", b)
	}
}

// Columns that changed between two versions of a job do not share a part.
func TestRestoreWithOtherColumns(t *testing.T) {
	type wider struct {
		ID    int    `csv:"id"`
		Item  string `csv:"item"`
		Price int    `csv:"price,optional"`
	}
	dir := t.TempDir()
	w := newWriter(t, CSVSink[order2](dir), writerContext(1))
	write(t, w, order2{1, "a"})
	_, states := prepare(t, w, false)
	must(t, w.Close())
	after := newWriter(t, CSVSink[wider](dir), writerContext(2), states...)
	write(t, after, wider{2, "b", 3})
	committables, _ := prepare(t, after, true)
	must(t, commit(CSVSink[wider](dir), writerContext(2), committables))
	connectortest.VerifySource(t, CSV[wider](dir), []wider{{1, "a", 0}, {2, "b", 3}})
	if visible, temporary := names(t, dir); len(visible) != 2 || len(temporary) != 0 {
		t.Errorf("left are %q, %q", visible, temporary)
	}
}

// A savepoint that is restored into a new run leaves the old run's part alone: it may go on.
func TestRestoreIntoAnotherRun(t *testing.T) {
	dir := t.TempDir()
	sink := JSONSink[int](dir)
	old := newWriter(t, sink, writerContext(1))
	write(t, old, 1)
	_, states := prepare(t, old, false)

	ctx := writerContext(1)
	ctx.Run, ctx.Fresh = "r-2", false
	fork := newWriter(t, sink, ctx, states...)
	write(t, fork, 2)
	c2, _ := prepare(t, fork, true)
	must(t, commit(sink, ctx, c2))

	write(t, old, 3)
	c1, _ := prepare(t, old, true)
	must(t, commit(sink, writerContext(1), c1))
	r, err := connectortest.ReadAll(JSON[int](dir))
	if err != nil || fmt.Sprint(r.Values()) != "[1 3 1 2]" {
		t.Errorf("both runs wrote %v, %v, want [1 3] and [1 2]", r.Values(), err)
	}
}

func TestParseTemp(t *testing.T) {
	p := part{dir: "d", owner: ownerOf(connectors.WriterContext{Run: "a-b.c/é"}), subtask: 3, attempt: 4, n: 5, ext: "jsonl"}
	if got, ok := parseTemp("d", filepath.Base(p.temp())); !ok || got != p {
		t.Errorf("parseTemp(%s) = %+v, %v", p.temp(), got, ok)
	}
	for _, name := range []string{"", "part-o-1-2-3.x", ".part-o-1-2-3.inprogress", ".part-1-2-3.x.inprogress", ".part-o-1-2-x.x.inprogress",
		".part-o-1-2-03.x.inprogress", ".part-o-1-2--3.x.inprogress", ".part-o-1-2-3.x"} {
		if p, ok := parseTemp("d", name); ok {
			t.Errorf("parseTemp(%s) = %+v", name, p)
		}
	}
}
