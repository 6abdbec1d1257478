package checkpoint

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/weirstream/weir/flow"
)

// script runs the directives of one file in testdata/coordinator against one coordinator. Each directive prints the
// effects; now=… moves time and stays.
type script struct {
	c       *Coordinator
	now     flow.Time
	attempt flow.Attempt
	sources []string
}

func TestCoordinatorScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/coordinator", func(t *testing.T, path string) {
		s := &script{attempt: 1}
		datadriven.RunTest(t, path, s.run)
	})
}

func (s *script) run(t *testing.T, d *datadriven.TestData) string {
	var now int64
	if d.HasArg("now") {
		d.ScanArgs(t, "now", &now)
		s.now = flow.Time(now)
	}
	switch d.Cmd {
	case "new":
		return s.make(t, d)
	case "state":
		return s.state()
	case "manifest":
		return s.manifest()
	}
	ev, err := s.event(t, d)
	if err != nil {
		return "error: " + err.Error()
	}
	return s.handle(ev)
}

func (s *script) handle(ev Event) (out string) {
	defer func() {
		if r := recover(); r != nil {
			out = fmt.Sprintf("panic: %v", r)
		}
	}()
	var b strings.Builder
	for _, fx := range s.c.Handle(s.now, ev) {
		fmt.Fprintln(&b, fx)
	}
	if b.Len() == 0 {
		return "nothing"
	}
	return b.String()
}

func (s *script) make(t *testing.T, d *datadriven.TestData) string {
	cfg := DefaultConfig()
	num := func(key string, to *flow.Time) {
		var n int64
		if d.HasArg(key) {
			d.ScanArgs(t, key, &n)
			*to = flow.Time(n)
		}
	}
	num("interval", &cfg.Interval)
	num("pause", &cfg.MinPause)
	num("timeout", &cfg.Timeout)
	if d.HasArg("tolerable") {
		d.ScanArgs(t, "tolerable", &cfg.Tolerable)
	}
	if d.HasArg("retained") {
		d.ScanArgs(t, "retained", &cfg.Retained)
	}
	if d.HasArg("cancel") {
		var r string
		d.ScanArgs(t, "cancel", &r)
		on, err := ParseRetention(r)
		if err != nil {
			return err.Error()
		}
		cfg.OnCancel = on
	}
	s.sources = nil
	if d.HasArg("sources") {
		s.sources = []string{"src"}
	}
	c, err := New(cfg, Job{Name: "words", Run: "r1", Term: 5})
	if err != nil {
		return err.Error()
	}
	s.c, s.attempt = c, 1
	return "ok"
}

// plan has vertex 0 with one subtask and vertex 1 with two.
func (s *script) plan() Plan {
	return Plan{
		Fingerprint: "f00d", Sources: s.sources,
		Vertices: []PlanVertex{
			{ID: 0, Name: "source", UIDs: []string{"src"}, MaxParallelism: 128, Attempts: []flow.Attempt{s.attempt}},
			{ID: 1, Name: "count → sink", UIDs: []string{"count", "sink"}, MaxParallelism: 128, Attempts: []flow.Attempt{s.attempt, s.attempt}},
		},
	}
}

func (s *script) event(t *testing.T, d *datadriven.TestData) (Event, error) {
	reason, arg := "for a test", func(i int) string { return d.CmdArgs[i].Key }
	if d.HasArg("reason") {
		reason = strings.Join(d.CmdArgs[slices.IndexFunc(d.CmdArgs, func(a datadriven.CmdArg) bool { return a.Key == "reason" })].Vals, " ")
	}
	id := func() flow.CheckpointID {
		n, err := strconv.Atoi(arg(0))
		if err != nil {
			d.Fatalf(t, "%v", err)
		}
		return flow.CheckpointID(n)
	}
	attempt := s.attempt
	if d.HasArg("attempt") {
		var n int64
		d.ScanArgs(t, "attempt", &n)
		attempt = flow.Attempt(n)
	}
	switch d.Cmd {
	case "start":
		return s.start(t, d), nil
	case "tick":
		return Tick{}, nil
	case "trigger":
		r := Trigger{Kind: flow.Periodic}
		if len(d.CmdArgs) > 0 && d.CmdArgs[0].Vals == nil {
			k, err := parseKind(arg(0))
			if err != nil {
				return nil, err
			}
			r.Kind = k
		}
		if d.HasArg("by") {
			d.ScanArgs(t, "by", &r.Requester)
		}
		return r, nil
	case "ack":
		e := Ack{ID: id(), Subtask: subtask(arg(1)), Attempt: attempt, Info: AckInfo{File: StateFile(subtask(arg(1)), attempt), Size: 10}}
		if d.HasArg("file") {
			d.ScanArgs(t, "file", &e.Info.File)
		}
		if d.HasArg("splits") || d.HasArg("finished") {
			e.Info.Readers = []ReaderAck{{UID: "src", Splits: splits(d, "splits")}}
			for _, x := range splits(d, "finished") {
				e.Info.Readers[0].Finished = append(e.Info.Readers[0].Finished, x.ID)
			}
		}
		return e, nil
	case "decline":
		return Decline{ID: id(), Subtask: subtask(arg(1)), Attempt: attempt, Reason: reason}, nil
	case "enumerators":
		return EnumeratorsSaved{ID: id(), Sources: []EnumeratorState{{UID: "src", State: []byte("seen"), Pending: splits(d, "pending")}}}, nil
	case "enumerators-failed":
		return EnumeratorsSaved{ID: id(), Err: errors.New(reason)}, nil
	case "written":
		return ManifestWritten{ID: id()}, nil
	case "write-failed":
		err := errors.New(reason)
		if d.HasArg("term") {
			var n int64
			d.ScanArgs(t, "term", &n)
			err = &ConflictError{Name: "manifest.json", Term: flow.Term(n)}
		}
		return ManifestFailed{ID: id(), Err: err}, nil
	case "abort":
		return Abort{Reason: reason}, nil
	case "suspend":
		return Suspend{Reason: reason}, nil
	case "resume":
		if d.HasArg("attempt") {
			s.attempt = attempt
		}
		return Resume{Plan: s.plan()}, nil
	case "deleted":
		return FilesDeleted{ID: id()}, nil
	case "delete-failed":
		return FilesDeleted{ID: id(), Err: errors.New(reason)}, nil
	case "close":
		hows := map[string]End{"cancelled": Cancelled, "finished": Finished, "failed": Failed, "moved": Moved}
		return Close{How: hows[arg(0)]}, nil
	}
	return nil, fmt.Errorf("no such directive: %s", d.Cmd)
}

func (s *script) start(t *testing.T, d *datadriven.TestData) Start {
	e := Start{Plan: s.plan(), NextID: 1}
	if d.HasArg("next") {
		var n int64
		d.ScanArgs(t, "next", &n)
		e.NextID = flow.CheckpointID(n)
	}
	if d.HasArg("restored") {
		var n int64
		d.ScanArgs(t, "restored", &n)
		e.Restored = flow.CheckpointID(n)
	}
	for _, x := range splits(d, "owned") {
		n, _ := strconv.Atoi(string(x.ID))
		e.Owned = append(e.Owned, Completed{ID: flow.CheckpointID(n)})
	}
	return e
}

// splits reads key=(a,b,c).
func splits(d *datadriven.TestData, key string) (s []SplitState) {
	for _, a := range d.CmdArgs {
		if a.Key == key {
			for _, v := range a.Vals {
				s = append(s, SplitState{ID: SplitID(v), State: []byte("at " + v)})
			}
		}
	}
	return s
}

func subtask(s string) flow.SubtaskID {
	v, i, _ := strings.Cut(s, ".")
	vertex, _ := strconv.Atoi(v)
	index, _ := strconv.Atoi(i)
	return flow.SubtaskID{Vertex: flow.VertexID(vertex), Index: index}
}

func (s *script) state() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v", s.c.State())
	if p, missing, ok := s.c.Pending(); ok {
		fmt.Fprintf(&b, ", pending %v %v, missing %v", p.Checkpoint, p.Kind, missing)
	}
	var kept []flow.CheckpointID
	for _, r := range s.c.Retained() {
		kept = append(kept, r.ID)
	}
	id, settled := s.c.Restore()
	fmt.Fprintf(&b, "\nretained %v, restore from %v, settled %v\n%+v", kept, id, settled, s.c.Counters())
	return b.String()
}

// manifest prints what the pending checkpoint would write of its sources.
func (s *script) manifest() string {
	m, err := s.c.pending.manifest(s.c.job, s.now)
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	ids := func(splits []SplitState) (out []SplitID) {
		for _, x := range splits {
			out = append(out, x.ID)
		}
		return out
	}
	fmt.Fprintf(&b, "%v of %q term %d\n", m.ID, m.Job, m.Term)
	for _, v := range m.Vertices {
		for _, t := range v.Subtasks {
			fmt.Fprintf(&b, "%d.%d attempt %d %q %d bytes\n", v.ID, t.Index, t.Attempt, t.File, t.Size)
		}
	}
	for _, x := range m.Sources {
		fmt.Fprintf(&b, "source %s %q, pending %v\n", x.UID, x.Enumerator, ids(x.Pending))
		for _, r := range x.Readers {
			fmt.Fprintf(&b, "reader %d.%d: %v, finished %v\n", r.Vertex, r.Index, ids(r.Splits), r.Finished)
		}
	}
	return b.String()
}

func TestConfigNamesEveryMistake(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Fatal(err)
	}
	bad := Config{Interval: 5, MinPause: -1, Timeout: 0, Tolerable: -1, Retained: 0, OnCancel: 9}
	err := bad.Validate()
	for _, key := range []string{"interval", "min-pause", "timeout", "tolerable-failed-checkpoints", "num-retained", "externalized-checkpoint-retention"} {
		if err == nil || !strings.Contains(err.Error(), "execution.checkpointing."+key+":") {
			t.Errorf("%s is not named in: %v", key, err)
		}
	}
	if _, err := New(bad, Job{Name: "j"}); err == nil {
		t.Error("New took a bad Config")
	}
	if _, err := New(DefaultConfig(), Job{}); err == nil {
		t.Error("New took a job without a name")
	}
}

func TestPlanIsChecked(t *testing.T) {
	good := func() Plan { return (&script{attempt: 1, sources: []string{"src"}}).plan() }
	for name, spoil := range map[string]func(*Plan){
		"order":     func(p *Plan) { p.Vertices[1].ID = 0 },
		"subtasks":  func(p *Plan) { p.Vertices[0].Attempts = nil },
		"attempt":   func(p *Plan) { p.Vertices[0].Attempts[0] = 0 },
		"uid twice": func(p *Plan) { p.Vertices[1].UIDs[0] = "src" },
		"groups":    func(p *Plan) { p.Vertices[0].MaxParallelism = 0 },
		"source":    func(p *Plan) { p.Sources[0] = "nobody" },
		"empty":     func(p *Plan) { p.Vertices, p.Sources = nil, nil },
	} {
		p := good()
		if err := p.Validate(); err != nil {
			t.Fatal(err)
		}
		spoil(&p)
		if p.Validate() == nil {
			t.Errorf("%s: a bad plan was taken", name)
		}
	}
}

// A store that answers neither writes nor deletes is left alone, and nothing grows, until it answers again.
func TestCoordinatorStopsAtTooManyDoubts(t *testing.T) {
	s := &script{attempt: 1}
	cfg := DefaultConfig()
	cfg.Interval, cfg.Tolerable = MinInterval, MaxTolerable
	c, err := New(cfg, Job{Name: "j"})
	if err != nil {
		t.Fatal(err)
	}
	c.Handle(0, Start{Plan: s.plan()})
	now, started := flow.Time(0), 0
	for range 10 * MaxDoubts {
		now += MinInterval
		for _, fx := range c.Handle(now, Tick{}) {
			e, ok := fx.(SendTrigger)
			if !ok {
				continue
			}
			started++
			for _, x := range []string{"0.0", "1.0", "1.1"} {
				c.Handle(now, Ack{ID: e.ID, Subtask: subtask(x), Attempt: 1})
			}
			c.Handle(now, ManifestFailed{ID: e.ID})
		}
	}
	if started != MaxDoubts || len(c.deleting) != MaxDoubts {
		t.Errorf("%d checkpoints were started, %d deletions wait", started, len(c.deleting))
	}
	fx := c.Handle(now, FilesDeleted{ID: 1})
	if len(fx) == 0 || fx[0] != (SendTrigger{ID: MaxDoubts + 1}) {
		t.Errorf("it did not go on: %v", fx)
	}
}

func TestCoordinatorBoundsWhatWaits(t *testing.T) {
	s := &script{attempt: 1}
	c, err := New(DefaultConfig(), Job{Name: "j"})
	if err != nil {
		t.Fatal(err)
	}
	var owned []Completed
	for id := range flow.CheckpointID(MaxDeleting + 20) {
		owned = append(owned, Completed{ID: id + 1})
	}
	c.Handle(0, Start{Plan: s.plan(), Restored: MaxDeleting + 20, Owned: owned})
	if len(c.deleting) != MaxDeleting || len(c.retained) != 1 {
		t.Errorf("%d deletions wait for an answer, %d are retained", len(c.deleting), len(c.retained))
	}
	refused := 0
	for i := range MaxRequests + 10 {
		for _, fx := range c.Handle(0, Trigger{Requester: fmt.Sprint(i)}) {
			if a, ok := fx.(Answer); ok && a.Err != "" {
				refused++
			}
		}
	}
	if refused != 9 { // one is pending
		t.Errorf("%d requests were refused", refused)
	}
}
