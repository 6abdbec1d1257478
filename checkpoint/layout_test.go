package checkpoint

import (
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weirstream/weir/flow"
)

// save writes a whole checkpoint of job "words" and returns its manifest. Each has state of its own.
func save(t testing.TB, s Store, dir string, id flow.CheckpointID, edit ...func(*Manifest)) *Manifest {
	t.Helper()
	m := sample()
	m.Job, m.ID = "words", id
	for i := range m.Vertices[1].Subtasks {
		st := &m.Vertices[1].Subtasks[i]
		data := strings.Repeat(fmt.Sprintf("state %d of %v\n", i, id), 30_000) // more than Verify reads at once
		st.Size, st.Sum = int64(len(data)), Sum(crc32.Checksum([]byte(data), castagnoli))
		w, err := s.Create(FileName(dir, id, st.File))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(data)); err != nil {
			t.Fatal(err)
		}
		if err := w.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range edit {
		f(m)
	}
	if err := CreateManifest(s, dir, m); err != nil {
		t.Fatal(err)
	}
	return m
}

// spoil changes one blob.
func spoil(t testing.TB, m *Memory, name string, change func([]byte) []byte) {
	t.Helper()
	b, err := ReadAll(m, name, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	m.Put(name, change(b))
}

func flip(b []byte) []byte { b[len(b)/2] ^= 1; return b }
func cut(b []byte) []byte  { return b[:len(b)-1] }

func TestNames(t *testing.T) {
	s := flow.SubtaskID{Vertex: 3, Index: 12}
	if got := FileName("words", 7, StateFile(s, 4)); got != "words/chk-7/3-12-4.state" {
		t.Error(got)
	}
	for job, want := range map[string]string{
		"words": "words", "a b/c": "a%20b%2Fc", "..": "%2E.", "100%": "100%25", "zähler": "z%C3%A4hler", "v1.2": "v1.2",
	} {
		got, err := JobDir(job)
		if err != nil || got != want || CheckName(got) != nil {
			t.Errorf("%q is %q, not %q: %v", job, got, want, err)
		}
	}
	for _, job := range []string{"", strings.Repeat("x", 201), strings.Repeat(" ", 100)} {
		if _, err := JobDir(job); err == nil {
			t.Errorf("%q was taken", job)
		}
	}
	for _, bad := range []string{"chk-0", "chk-07", "chk--1", "chk-", "chk-x", "7", "chk-99999999999999999999"} {
		if id, ok := parseCheckpoint(bad); ok {
			t.Errorf("%s is %v", bad, id)
		}
	}
}

func TestLatestNextAndClean(t *testing.T) {
	eachStore(t, func(t *testing.T, s Store) {
		if id, err := NextID(s, "words"); id != 1 || err != nil {
			t.Error(id, err)
		}
		if gone, err := Clean(s, "words"); gone != nil || err != nil {
			t.Error(gone, err)
		}
		for _, id := range []flow.CheckpointID{2, 9, 10} {
			save(t, s, "words", id)
		}
		for _, left := range []string{"words/chk-1/0-0-1.state", "words/chk-8/0-0-1.state", "words/chk-8/0-1-1.state", "words/chk-3/0-0-1.state", "words/chk-12/0-0-1.state", "words/notes/chk-1/x", "word/chk-99/x"} {
			put(t, s, left, "x")
		}
		if ids, err := Latest(s, "words"); fmt.Sprint(ids) != "[chk-10 chk-9 chk-2]" || err != nil {
			t.Error(ids, err)
		}
		if id, err := NextID(s, "words"); id != 13 || err != nil {
			t.Error(id, err)
		}
		// 12 may be pending: it is newer than the newest complete one.
		if gone, err := Clean(s, "words", 3); fmt.Sprint(gone) != "[chk-1 chk-8]" || err != nil {
			t.Error(gone, err)
		}
		if err := Remove(s, "words", 9); err != nil {
			t.Error(err)
		}
		var names []string
		infos, err := s.List("")
		for _, f := range infos {
			names = append(names, f.Name)
		}
		want := "word/chk-99/x words/chk-10/1-0-2.state words/chk-10/1-1-3.state words/chk-10/manifest.json words/chk-12/0-0-1.state " +
			"words/chk-2/1-0-2.state words/chk-2/1-1-3.state words/chk-2/manifest.json words/chk-3/0-0-1.state words/notes/chk-1/x"
		if got := strings.Join(names, " "); got != want || err != nil {
			t.Errorf("%v\n%s\n%s", err, got, want)
		}
	})
}

// A checkpoint that is half deleted is incomplete, not damaged.
func TestRemoveTakesTheManifestFirst(t *testing.T) {
	broken := errors.New("broken")
	m := NewMemory(func(op Op) Fault {
		if op.Kind == OpDeleteAll {
			return Fault{Err: broken}
		}
		return Fault{}
	})
	save(t, m, "words", 1)
	if err := Remove(m, "words", 1); !errors.Is(err, broken) {
		t.Error(err)
	}
	if ids, err := Latest(m, "words"); len(ids) != 0 || err != nil {
		t.Error(ids, err)
	}
}

func TestCreateManifestFences(t *testing.T) {
	eachStore(t, func(t *testing.T, s Store) {
		old := save(t, s, "words", 7, func(m *Manifest) { m.Term = 4 })
		if err := CreateManifest(s, "words", old); err != nil {
			t.Errorf("repeated: %v", err)
		}
		mine := *old
		mine.Term = 5
		err := CreateManifest(s, "words", &mine)
		var conflict *ConflictError
		if !errors.Is(err, ErrExists) || !errors.As(err, &conflict) || conflict.Term != 4 {
			t.Error(err)
		}
		if m, err := Load(s, "words", 7); err != nil || m.Term != 4 {
			t.Error("the first was overwritten", m, err)
		}
	})
}

func TestCreateManifestWhenAnswersAreLost(t *testing.T) {
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		fault   Fault
		noRead  bool
		want    error
		created bool
	}{
		"written, answer lost":                  {fault: Fault{Err: broken, Done: true}, created: true},
		"not written":                           {fault: Fault{Err: broken}, want: broken},
		"written, and cannot be read":           {fault: Fault{Err: broken, Done: true}, noRead: true, want: broken, created: true},
		"torn by the store, and nobody noticed": {fault: Fault{Torn: true, Keep: 20}, created: true},
	} {
		m := NewMemory(func(op Op) Fault {
			switch {
			case op.Kind == OpCreateIfAbsent:
				return c.fault
			case op.Kind == OpOpen && c.noRead:
				return Fault{Err: broken}
			}
			return Fault{}
		})
		x := sample()
		if err := CreateManifest(m, "words", x); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if infos, _ := m.List(""); len(infos) > 0 != c.created {
			t.Errorf("%s: %v", name, infos)
		}
	}
}

func TestConflictWithWhatCannotBeRead(t *testing.T) {
	newer := seal([]byte(strings.Replace(string(body(encode(t, sample()))), `"format": 1`, `"format": 2`, 1)))
	for want, data := range map[bool][]byte{false: []byte("rubbish"), true: newer} {
		m := NewMemory(nil)
		m.Put("words/chk-7/manifest.json", data)
		var conflict *ConflictError
		if err := CreateManifest(m, "words", sample()); !errors.As(err, &conflict) || conflict.Term > 5 != want {
			t.Errorf("newer %v: %v", want, err)
		}
	}
}

func TestVerifyNoticesDamage(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Memory)
		says   string
	}{
		"nothing":     {func(*Memory) {}, ""},
		"flipped bit": {func(m *Memory) { spoil(t, m, "words/chk-7/1-1-3.state", flip) }, "words/chk-7/1-1-3.state: damaged: its checksum is"},
		"short":       {func(m *Memory) { spoil(t, m, "words/chk-7/1-0-2.state", cut) }, "words/chk-7/1-0-2.state: damaged: 509999 bytes, and 510000 were written"},
		"missing":     {func(m *Memory) { m.Delete("words/chk-7/1-0-2.state") }, "words/chk-7/1-0-2.state: damaged: the file is missing"},
	} {
		s := NewMemory(nil)
		m := save(t, s, "words", 7)
		c.change(s)
		err := Verify(s, "words", m)
		if c.says == "" && err != nil || c.says != "" && (!errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestVerifyTellsAFailingStoreFromDamage(t *testing.T) {
	broken, fail := errors.New("broken"), false
	s := NewMemory(func(op Op) Fault {
		if fail && op.Kind == OpRead {
			return Fault{Err: broken}
		}
		return Fault{}
	})
	m := save(t, s, "words", 7)
	fail = true
	if err := Verify(s, "words", m); !errors.Is(err, broken) || errors.Is(err, ErrDamaged) {
		t.Error(err)
	}
	if _, err := FindRestore(s, "latest", Expect{Job: "words"}); !errors.Is(err, broken) {
		t.Error(err)
	}
}

func TestFindRestore(t *testing.T) {
	s := NewMemory(nil)
	for _, id := range []flow.CheckpointID{5, 6, 7, 10} {
		save(t, s, "words", id)
	}
	save(t, s, "old/words", 3)
	save(t, s, "", 2)
	other := save(t, s, "lines", 4, func(m *Manifest) { m.Job = "lines" })
	put(t, s, "words/chk-11/1-0-1.state", "not complete")
	want := Expect{Job: "words", Fingerprint: other.Fingerprint}
	for _, c := range []struct {
		ref  string
		want Expect
		id   flow.CheckpointID
		says string
	}{
		{"latest", want, 10, ""}, {"6", want, 6, ""}, {"chk-6", want, 6, ""}, {"words", want, 10, ""}, {"words/", want, 10, ""},
		{"words/chk-7", want, 7, ""}, {"words/chk-7/", want, 7, ""}, {"old/words", want, 3, ""}, {"old/words/chk-3", want, 3, ""},
		{".", want, 2, ""}, {"./chk-2", want, 2, ""}, {"latest", Expect{Job: "words", Dir: "old/words"}, 3, ""},
		{"lines", want, 0, `lines/chk-4: the checkpoint is not of this job: it is of job "lines", and job "words" is to be restored`},
		{"latest", Expect{Job: "words", Fingerprint: "0"}, 0, "the graph of job \"words\" was f00dcafe12345678 and is 0 now"},
		{"nowhere", want, 0, `restore "nowhere": no completed checkpoint in directory "nowhere"`},
		{"9", want, 0, "words/chk-9/manifest.json does not exist"}, {"chk-11", want, 0, "words/chk-11/manifest.json does not exist"},
		{"../words", want, 0, "it is neither latest, nor an id, nor a path in the store"},
		{"", want, 0, "it is neither latest, nor an id, nor a path in the store"},
		{"latest", Expect{}, 0, "the job has no name"},
	} {
		f, err := FindRestore(s, c.ref, c.want)
		switch {
		case c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)):
			t.Errorf("%s: %v", c.ref, err)
		case c.says == "" && (err != nil || f.Manifest.ID != c.id || len(f.Damaged) != 0):
			t.Errorf("%s: %+v %v", c.ref, f, err)
		}
	}
}

func TestFindRestorePassesOverDamage(t *testing.T) {
	s := NewMemory(nil)
	for _, id := range []flow.CheckpointID{5, 6, 7, 8} {
		save(t, s, "words", id)
	}
	spoil(t, s, "words/chk-8/manifest.json", flip)
	spoil(t, s, "words/chk-7/1-0-2.state", cut)
	f, err := FindRestore(s, "latest", Expect{Job: "words"})
	if err != nil {
		t.Fatal(err)
	}
	want := "chk-8: words/chk-8/manifest.json: damaged: it does not end with its checksum: restore from another checkpoint; trying chk-7\n" +
		"chk-7: words/chk-7/1-0-2.state: damaged: 509999 bytes, and 510000 were written; using chk-6"
	if got := strings.Join(f.Notes(), "\n"); f.Manifest.ID != 6 || got != want {
		t.Errorf("%v\n%s", f.Manifest.ID, got)
	}
	// Whoever names a damaged one is told, and decides.
	if _, err := FindRestore(s, "7", Expect{Job: "words"}); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "the one before is chk-6") {
		t.Error(err)
	}
	// A checkpoint in a directory of another number is not what it says.
	b, _ := ReadAll(s, "words/chk-6/manifest.json", 1<<20)
	s.Put("words/chk-9/manifest.json", b)
	if f, err := FindRestore(s, "latest", Expect{Job: "words"}); err != nil || f.Manifest.ID != 6 || len(f.Damaged) != 3 {
		t.Error(f, err)
	}
	for _, id := range []string{"5", "6"} {
		spoil(t, s, "words/chk-"+id+"/manifest.json", cut)
	}
	if _, err := FindRestore(s, "latest", Expect{Job: "words"}); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "chk-5: ") {
		t.Error(err)
	}
	// One of a newer release is no damage: going back behind it would lose what that release did.
	s.Put("words/chk-12/manifest.json", seal([]byte(strings.Replace(string(body(encode(t, sample()))), `"format": 1`, `"format": 2`, 1))))
	if _, err := FindRestore(s, "latest", Expect{Job: "words"}); !errors.Is(err, ErrNewer) {
		t.Error(err)
	}
}

// A job's directory, and one checkpoint in it, may be moved to anywhere and named by its path.
func TestOpenPath(t *testing.T) {
	root := filepath.Join(t.TempDir(), "my backups, 2026") // no name that a Store would take
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	d, err := NewDir(root)
	if err != nil {
		t.Fatal(err)
	}
	save(t, d, "", 7)
	save(t, d, "", 8)
	for path, want := range map[string]flow.CheckpointID{root: 8, root + "/": 8, root + "/chk-7": 7} {
		s, ref, err := OpenPath(path)
		if err != nil {
			t.Fatal(err)
		}
		if f, err := FindRestore(s, ref, Expect{Job: "words"}); err != nil || f.Manifest.ID != want {
			t.Errorf("%s: %+v %v", path, f, err)
		}
	}
}
