package node

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/weirstream/weir/actors"
	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/local"
)

// view shows a running job: as a table that is drawn anew on a terminal, as a line now and then elsewhere.
type view struct {
	out      io.Writer
	terminal bool
	verbose  bool
	begun    time.Time
	drawn    int // lines of the last table
	last     map[flow.SubtaskID]actors.Reading
	lastAt   time.Time

	mu       sync.Mutex // guards what events write
	lines    []string   // to be printed above the table
	failedAt flow.Time
}

func newView(out io.Writer, verbose bool) *view {
	v := &view{out: out, verbose: verbose, begun: time.Now(), lastAt: time.Now(), last: map[flow.SubtaskID]actors.Reading{}}
	if f, ok := out.(*os.File); ok {
		if info, err := f.Stat(); err == nil {
			v.terminal = info.Mode()&os.ModeCharDevice != 0
		}
	}
	return v
}

// event takes what the actors tell; any goroutine calls it.
func (v *view) event(e actors.Event) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch e.Kind {
	case actors.RegionFailed:
		v.failedAt = e.Time
		v.lines = append(v.lines, "failed: "+e.Text)
	case actors.RegionRunning:
		if v.failedAt != 0 {
			v.lines = append(v.lines, fmt.Sprintf("recovered in %d ms: %s", e.Time-v.failedAt, e.Text))
			v.failedAt = 0
		}
	case actors.CheckpointDamaged:
		v.lines = append(v.lines, "damaged checkpoint: "+e.Text)
	case actors.CheckpointEnded:
		if v.verbose || strings.Contains(e.Text, "aborted") {
			v.lines = append(v.lines, e.Text)
		}
	case actors.JobChanged:
		if v.verbose {
			v.lines = append(v.lines, e.Text)
		}
	}
}

// note prints a line of the command's own.
func (v *view) note(s string) {
	v.mu.Lock()
	v.lines = append(v.lines, s)
	v.mu.Unlock()
	v.flush()
}

// flush prints what has gathered, in place of the table.
func (v *view) flush() {
	v.mu.Lock()
	lines := v.lines
	v.lines = nil
	v.mu.Unlock()
	if len(lines) == 0 {
		return
	}
	v.erase()
	for _, l := range lines {
		fmt.Fprintf(v.out, "%6.1fs  %s\n", time.Since(v.begun).Seconds(), l)
	}
}

func (v *view) erase() {
	if v.drawn > 0 {
		fmt.Fprintf(v.out, "\x1b[%dA\x1b[J", v.drawn)
		v.drawn = 0
	}
}

// vertexRow is the sum over a vertex' subtasks.
type vertexRow struct {
	in, out, late, rejected int64
	rate                    float64
	busy, blocked           float64
	watermark               flow.Time
	subtasks                int
}

func (v *view) rows(x *local.Execution) []vertexRow {
	now := time.Now()
	span := now.Sub(v.lastAt)
	rows := make([]vertexRow, len(x.Graph().Vertices))
	for i := range rows {
		rows[i].watermark = flow.MaxTime
	}
	for _, r := range x.Subtasks() {
		w, before := &rows[r.Subtask.Vertex], v.last[r.Subtask]
		w.subtasks++
		w.in += r.In
		w.out += r.Out
		w.late += r.LateDropped
		w.rejected += r.Rejected
		w.watermark = min(w.watermark, r.Watermark)
		w.rate += float64(r.In+r.Out-before.In-before.Out) / span.Seconds()
		w.busy += float64(r.BusyNanos-before.BusyNanos) / float64(span.Nanoseconds())
		w.blocked += float64(r.BackpressuredNanos-before.BackpressuredNanos) / float64(span.Nanoseconds())
		v.last[r.Subtask] = r
	}
	v.lastAt = now
	return rows
}

// show draws the table, or prints a line.
func (v *view) show(x *local.Execution) {
	v.flush()
	rows := v.rows(x)
	st := x.Status()
	checkpoint := "no checkpoint yet"
	if st.Completed > 0 {
		checkpoint = fmt.Sprintf("%v: %d ms, %s", st.Last.ID, st.Last.Ended-st.Last.Started, size(st.Last.Bytes))
	}
	if !v.terminal {
		var in int64
		for _, r := range rows {
			in = max(in, r.in, r.out)
		}
		fmt.Fprintf(v.out, "%6.1fs  %v, %s records, last %s, restarts %d\n", time.Since(v.begun).Seconds(), st.State, count(in), checkpoint, st.Restarts)
		return
	}
	v.erase()
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"Vertex", "×", "In", "Out", "Records/s", "Busy", "Blocked", "Watermark", "Late"})
	for i, r := range rows {
		n := float64(max(1, r.subtasks))
		t.AppendRow(table.Row{x.Graph().Vertices[i].Name, r.subtasks, count(r.in), count(r.out), count(int64(r.rate)),
			percent(r.busy / n), percent(r.blocked / n), watermark(r.watermark), r.late})
	}
	text := t.Render() + fmt.Sprintf("\n%v for %.0f s, last checkpoint %s, restarts %d\n", st.State, time.Since(v.begun).Seconds(), checkpoint, st.Restarts)
	fmt.Fprint(v.out, text)
	v.drawn = strings.Count(text, "\n")
}

// summary is the last word on a run.
func (v *view) summary(x *local.Execution, r *local.Result) {
	v.flush()
	v.erase()
	rows := v.rows(x)
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.SetOutputMirror(v.out)
	t.AppendHeader(table.Row{"Vertex", "×", "Records in", "Records out", "Late", "Rejected"})
	for i, w := range rows {
		t.AppendRow(table.Row{x.Graph().Vertices[i].Name, w.subtasks, count(w.in), count(w.out), w.late, w.rejected})
	}
	t.Render()
	fmt.Fprintf(v.out, "%v after %.1f s: %d checkpoints completed, %d failed, %d restarts\n", r.State, r.Duration.Seconds(), r.Status.Completed, r.Status.Failed, r.Status.Restarts)
}

func percent(f float64) string { return fmt.Sprintf("%3.0f%%", 100*min(1, max(0, f))) }

func watermark(t flow.Time) string {
	if t == flow.MinTime || t == flow.MaxTime {
		return t.String()
	}
	return t.Std().Format("2006-01-02 15:04:05")
}

// count prints large numbers with a unit.
func count(n int64) string {
	switch {
	case n >= 10_000_000:
		return fmt.Sprintf("%.1fM", float64(n)/1e6)
	case n >= 100_000:
		return fmt.Sprintf("%.0fk", float64(n)/1e3)
	}
	return fmt.Sprint(n)
}

func size(n int64) string {
	if n >= 1<<20 {
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
}
