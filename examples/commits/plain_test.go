package commits

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weirstream/weir/stream"
)

const hour stream.Time = 3600 * 1000

// at is a change of author 1 at t, in a commit of its own.
func at(t stream.Time) Change {
	return Change{Repo: "r", Commit: t.String(), Author: 1, Authored: t, Added: 1, Deleted: 2}
}

func TestWeeks(t *testing.T) {
	other := at(5)
	other.Author = 2
	changes := []Change{
		at(-1), at(0), other, at(weekMillis - 1), // the last one leaves the watermark at weekMillis - 2
		at(1),          // so this is not late
		at(weekMillis), // the watermark comes to weekMillis - 1, the last of week 0
		at(2),          // late
		at(weekMillis + 1),
	}
	got := Plain(changes, 0, hour)
	want := []Week{
		{"r", -weekMillis, 0, 1, 1, 2, 1},
		{"r", 0, weekMillis, 4, 4, 8, 2},
		{"r", weekMillis, 2 * weekMillis, 2, 2, 4, 1},
	}
	if !slices.Equal(got.Weeks, want) || !slices.Equal(got.Late, []Change{at(2)}) {
		t.Errorf("weeks %v\nlate %v", got.Weeks, got.Late)
	}
	if got = Plain(changes, 3, hour); len(got.Late) != 0 || got.Weeks[1].Changes != 5 {
		t.Errorf("with a delay: weeks %v\nlate %v", got.Weeks, got.Late)
	}
}

func TestSessions(t *testing.T) {
	span := func(start, end stream.Time, changes int64) Session {
		return Session{"r", 1, start, end, changes, changes}
	}
	for _, c := range []struct {
		name    string
		delay   stream.Time
		times   []stream.Time
		want    []Session
		dropped int
	}{
		{"a pause as long as the gap", 0, []stream.Time{0, hour}, []Session{span(0, 2*hour, 2)}, 0},
		{"a longer pause", 0, []stream.Time{0, hour + 1}, []Session{span(0, hour, 1), span(hour+1, 2*hour+1, 1)}, 0},
		{"bridged", hour + 1, []stream.Time{0, 2 * hour, hour}, []Session{span(0, 3*hour, 3)}, 0},
		// The watermark is at 2h-1: 0's session is over, and 1h's own window too, but it touches that of 2h.
		{"late alone, not with its neighbour", 0, []stream.Time{0, 2 * hour, hour}, []Session{span(0, hour, 1), span(hour, 3*hour, 2)}, 0},
		{"late", 0, []stream.Time{0, 2*hour + 1, hour}, []Session{span(0, hour, 1), span(2*hour+1, 3*hour+1, 1)}, 1},
		{"just not late", 0, []stream.Time{3 * hour, 2*hour + 1}, []Session{span(2*hour+1, 4*hour, 2)}, 0},
	} {
		var changes []Change
		for _, when := range c.times {
			changes = append(changes, at(when))
		}
		got := Plain(changes, c.delay, hour)
		slices.SortFunc(got.Sessions, func(a, b Session) int { return int(a.Start - b.Start) })
		if !slices.Equal(got.Sessions, c.want) || got.Dropped != c.dropped {
			t.Errorf("%s: %v, %d dropped; want %v, %d", c.name, got.Sessions, got.Dropped, c.want, c.dropped)
		}
	}
}

func TestDistinct(t *testing.T) {
	a, b := at(0), at(1)
	b.Commit = a.Commit
	got := Plain([]Change{a, b}, 0, hour)
	if want := []Session{{"r", 1, 0, hour + 1, 2, 1}}; !slices.Equal(got.Sessions, want) {
		t.Errorf("two files of one commit: %v", got.Sessions)
	}
	if got.Weeks[0].Authors != 1 || got.Weeks[0].Changes != 2 {
		t.Errorf("two files of one author: %v", got.Weeks)
	}
}

const sample = "testdata/sample.jsonl"

func TestSample(t *testing.T) {
	changes, rejects, err := read(sample)
	if err != nil {
		t.Fatal(err)
	}
	got := Plain(changes, 0, hour)
	counts := [...]int{len(changes), rejects, len(got.Weeks), len(got.Sessions), len(got.Late), got.Dropped}
	if want := [...]int{242, 2, 8, 120, 6, 15}; counts != want {
		t.Errorf("changes, rejects, weeks, sessions, late, dropped: %v, want %v", counts, want)
	}
	var inWeeks, inSessions int64
	for _, w := range got.Weeks {
		inWeeks += w.Changes
	}
	for _, s := range got.Sessions {
		inSessions += s.Changes
	}
	if int(inWeeks)+len(got.Late) != len(changes) || int(inSessions)+got.Dropped != len(changes) {
		t.Errorf("of %d changes %d are in weeks and %d late; %d are in sessions and %d dropped", len(changes), inWeeks, len(got.Late), inSessions, got.Dropped)
	}
}

func TestVerify(t *testing.T) {
	c := Config{Input: sample, Output: t.TempDir(), Gap: time.Hour}
	changes, rejects, err := read(sample)
	if err != nil {
		t.Fatal(err)
	}
	want := Plain(changes, 0, hour)
	write(t, c.dir(weekly), want.Weeks)
	write(t, c.dir(sessions), want.Sessions)
	write(t, c.dir(late), want.Late)
	write(t, c.dir(rejected), make([]struct{}, rejects))
	verdict, err := Verify(c)
	if err != nil || !strings.HasPrefix(verdict, "equal: ") {
		t.Fatalf("%s, %v", verdict, err)
	}
	write(t, c.dir(sessions), want.Sessions[1:])
	if verdict, err = Verify(c); err == nil || !strings.Contains(err.Error(), "1 missing (first: {Repo:") {
		t.Errorf("a session is missing: %s, %v", verdict, err)
	}
	write(t, c.dir(sessions), want.Sessions)
	write(t, c.dir(rejected), make([]struct{}, rejects+1))
	if verdict, err = Verify(c); err == nil || !strings.Contains(err.Error(), "rejects expected") {
		t.Errorf("a reject too many: %s, %v", verdict, err)
	}
}

// write makes records the only part in dir.
func write[T any](t *testing.T, dir string, records []T) {
	t.Helper()
	var text []byte
	for _, r := range records {
		line, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		text = append(append(text, line...), '\n')
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "part-0.jsonl"), text, 0o666); err != nil {
		t.Fatal(err)
	}
}

func TestBuild(t *testing.T) {
	job, err := Build(Config{Input: sample, Output: t.TempDir(), Gap: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := job.Build(); err != nil {
		t.Error(err)
	}
	for want, c := range map[string]Config{
		"input":  {Output: "out", Gap: 1},
		"output": {Input: sample, Gap: 1},
		"delay":  {Input: sample, Output: "out", Delay: -1, Gap: time.Hour},
		"gap":    {Input: sample, Output: "out"},
	} {
		if _, err := Build(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
