package checkpoint

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// eachStore runs test against every Store of this package.
func eachStore(t *testing.T, test func(t *testing.T, s Store)) {
	t.Run("dir", func(t *testing.T) {
		d, err := NewDir(filepath.Join(t.TempDir(), "a", "b"))
		if err != nil {
			t.Fatal(err)
		}
		test(t, d)
	})
	t.Run("memory", func(t *testing.T) { test(t, NewMemory(nil)) })
}

func put(t testing.TB, s Store, name, data string) {
	t.Helper()
	w, err := s.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(data) { // in many writes
		if n, err := w.Write([]byte(data[i : i+1])); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	w.Abort() // no effect any more
}

func get(t testing.TB, s Store, name string) string {
	t.Helper()
	b, err := ReadAll(s, name, 1<<20)
	if errors.Is(err, ErrNotFound) {
		return "(none)"
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func list(t testing.TB, s Store, dir string) string {
	t.Helper()
	infos, err := s.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Trim(fmt.Sprint(infos), "[]")
}

func TestStoreBlobs(t *testing.T) {
	eachStore(t, func(t *testing.T, s Store) {
		if got := list(t, s, "") + list(t, s, "no/where"); got != "" {
			t.Errorf("an empty store lists %s", got)
		}
		w, err := s.Create("j/chk-1/x.state")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte("half")); err != nil {
			t.Fatal(err)
		}
		if got := get(t, s, "j/chk-1/x.state") + list(t, s, ""); got != "(none)" {
			t.Errorf("seen before Commit: %s", got)
		}
		w.Abort()
		if _, err := w.Write([]byte("more")); err == nil {
			t.Error("Write after Abort")
		}
		if err := w.Commit(); err == nil || get(t, s, "j/chk-1/x.state") != "(none)" {
			t.Error("Commit after Abort", err)
		}
		put(t, s, "j/chk-1/x.state", "one")
		put(t, s, "j/chk-1/x.state", "three")
		put(t, s, "j/chk-10/x.state", "")
		put(t, s, "k/y", "12")
		if got := get(t, s, "j/chk-1/x.state"); got != "three" {
			t.Errorf("after replacing: %s", got)
		}
		if got := list(t, s, ""); got != "{j/chk-1/x.state 5} {j/chk-10/x.state 0} {k/y 2}" {
			t.Error(got)
		}
		if got := list(t, s, "j/chk-1"); got != "{j/chk-1/x.state 5}" {
			t.Error(got)
		}
		if err := s.DeleteAll("j/chk-1"); err != nil {
			t.Error(err)
		}
		if err := errors.Join(s.Delete("k/y"), s.Delete("k/y")); err != nil {
			t.Error(err)
		}
		if got := list(t, s, ""); got != "{j/chk-10/x.state 0}" {
			t.Error(got)
		}
	})
}

func TestStoreDeletingNothingIsNoError(t *testing.T) {
	eachStore(t, func(t *testing.T, s Store) {
		for _, err := range []error{s.Delete("a"), s.Delete("a/b/c"), s.DeleteAll("a"), s.DeleteAll("a/b/c")} {
			if err != nil {
				t.Error(err)
			}
		}
	})
}

func TestStoreReads(t *testing.T) {
	eachStore(t, func(t *testing.T, s Store) {
		put(t, s, "a", "0123456789")
		f, err := s.Open("a")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		b := make([]byte, 4)
		if n, err := f.ReadAt(b, 3); n != 4 || err != nil || string(b) != "3456" || f.Size() != 10 {
			t.Error(n, err, string(b), f.Size())
		}
		if n, err := f.ReadAt(b, 8); n != 2 || err != io.EOF {
			t.Error(n, err)
		}
		put(t, s, "a", "new")
		if n, _ := f.ReadAt(b, 6); n != 4 || string(b) != "6789" {
			t.Errorf("an open file changed under its reader: %d %q", n, b)
		}
		if _, err := s.Open("b"); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "b") {
			t.Error(err)
		}
		if _, err := ReadAll(s, "a", 2); !errors.Is(err, ErrDamaged) {
			t.Error("over the limit:", err)
		}
	})
}

func TestStoreRefusesBadNames(t *testing.T) {
	bad := []string{"", "/a", "a/", "a//b", ".", "..", "a/../b", ".hidden", "a/.tmp-1", "a b", "a\\b", "a\x00b", "é", strings.Repeat("x", 201), strings.Repeat("x/", 256) + "x"}
	eachStore(t, func(t *testing.T, s Store) {
		for _, name := range bad {
			_, create := s.Create(name)
			_, open := s.Open(name)
			_, listed := s.List(name)
			if name == "" {
				listed = errors.New("everything")
			}
			for _, err := range []error{create, open, listed, s.CreateIfAbsent(name, nil), s.Delete(name), s.DeleteAll(name)} {
				if err == nil {
					t.Errorf("%q was taken", name)
				}
			}
		}
	})
}

func TestStoreCreateIfAbsent(t *testing.T) {
	eachStore(t, func(t *testing.T, s Store) {
		data := []byte("first")
		if err := s.CreateIfAbsent("j/m", data); err != nil {
			t.Fatal(err)
		}
		data[0] = 'X' // the store has its own copy
		if err := s.CreateIfAbsent("j/m", []byte("second")); !errors.Is(err, ErrExists) {
			t.Error(err)
		}
		if got := get(t, s, "j/m"); got != "first" {
			t.Error(got)
		}
		if err := s.Delete("j/m"); err != nil {
			t.Error(err)
		}
		if err := s.CreateIfAbsent("j/m", []byte("third")); err != nil || get(t, s, "j/m") != "third" {
			t.Error(err)
		}
	})
}

// Of many racing creators one wins, and what is there is the winner's, whole.
func TestStoreCreateIfAbsentHasOneWinner(t *testing.T) {
	const rounds, racers = 10, 32
	eachStore(t, func(t *testing.T, s Store) {
		for r := range rounds {
			name := fmt.Sprintf("j/chk-%d/manifest.json", r+1)
			var start, done sync.WaitGroup
			errs := make([]error, racers)
			start.Add(1)
			for i := range racers {
				done.Go(func() {
					start.Wait()
					errs[i] = s.CreateIfAbsent(name, bytes.Repeat([]byte{byte('A' + i)}, 5000))
				})
			}
			start.Done()
			done.Wait()
			winner := -1
			for i, err := range errs {
				switch {
				case err == nil && winner >= 0:
					t.Fatalf("%d and %d both won", winner, i)
				case err == nil:
					winner = i
				case !errors.Is(err, ErrExists):
					t.Fatal(err)
				}
			}
			if winner < 0 {
				t.Fatal("nobody won")
			}
			if got := get(t, s, name); got != strings.Repeat(string(rune('A'+winner)), 5000) {
				t.Fatalf("%d won, and there is %.20q…", winner, got)
			}
		}
		if infos, err := s.List("j"); err != nil || len(infos) != rounds {
			t.Error(infos, err)
		}
	})
}

// Two stores on one directory are two processes.
func TestDirHasOneWinnerAmongProcesses(t *testing.T) {
	root := t.TempDir()
	a, errA := NewDir(root)
	b, errB := NewDir(root)
	if errA != nil || errB != nil {
		t.Fatal(errA, errB)
	}
	if err := a.CreateIfAbsent("m", []byte("a")); err != nil {
		t.Fatal(err)
	}
	if err := b.CreateIfAbsent("m", []byte("b")); !errors.Is(err, ErrExists) {
		t.Fatal(err)
	}
}

func TestDirLeavesNoTemporaryFiles(t *testing.T) {
	d, err := NewDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	put(t, d, "j/a", "1")
	w, err := d.Create("j/b")
	if err != nil {
		t.Fatal(err)
	}
	w.Abort()
	for range 2 {
		if err := d.CreateIfAbsent("j/c", nil); err != nil && !errors.Is(err, ErrExists) {
			t.Fatal(err)
		}
	}
	// What a crash leaves is invisible, and goes with its directory.
	if err := os.WriteFile(filepath.Join(d.Root(), "j", ".tmp-99"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Join(d.Root(), "j"))
	if err != nil || len(entries) != 3 {
		t.Errorf("%v %v", entries, err)
	}
	if got := list(t, d, ""); got != "{j/a 1} {j/c 0}" {
		t.Error(got)
	}
	if err := d.DeleteAll("j"); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(d.Root(), "j")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func TestDirRefusesAFileAsItsRoot(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := NewDir(file); err == nil || !strings.Contains(err.Error(), file) {
		t.Error(err)
	}
	if _, _, err := OpenPath(file); err == nil {
		t.Error("OpenPath took a file")
	}
	if _, _, err := OpenPath(file + "-not-there"); err == nil {
		t.Error("OpenPath took what is not there")
	}
}

func TestMemoryFaults(t *testing.T) {
	broken := errors.New("broken")
	var log []string
	plan := map[int64]Fault{
		2: {Err: broken},                                  // the write has no effect
		5: {Torn: true, Keep: 2},                          // a write loses its tail and nobody is told
		7: {Err: broken, Done: true},                      // created, and the answer is lost
		8: {Wait: func() { log = append(log, "waited") }}, // slow
	}
	m := NewMemory(func(op Op) Fault {
		log = append(log, op.String())
		return plan[op.N]
	})
	w, _ := m.Create("a")
	if _, err := w.Write([]byte("lost")); !errors.Is(err, broken) {
		t.Error(err)
	}
	if err := w.Commit(); err != nil {
		t.Error(err)
	}
	w, _ = m.Create("b")
	if n, err := w.Write([]byte("torn")); n != 4 || err != nil {
		t.Error(n, err)
	}
	if err := w.Commit(); err != nil {
		t.Error(err)
	}
	if err := m.CreateIfAbsent("c", []byte("there")); !errors.Is(err, broken) {
		t.Error(err)
	}
	if got := get(t, m, "a") + " " + get(t, m, "b") + " " + get(t, m, "c"); got != " to there" {
		t.Error(got)
	}
	want := "1 create a,2 write a,3 commit a,4 create b,5 write b,6 commit b,7 create-if-absent c,8 open a,waited,9 read a,10 open b,11 read b,12 open c,13 read c"
	if got := strings.Join(log, ","); got != want {
		t.Errorf("\n%s\n%s", got, want)
	}
}
