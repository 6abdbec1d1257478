package commits

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/weirstream/weir/connectors"
	"github.com/weirstream/weir/connectors/files"
	"github.com/weirstream/weir/examples/verify"
	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/stream"
)

// maxPlainLine is the longest line, in bytes, that the plain loop can step over.
const maxPlainLine = 256 << 20

// Results is all that the job writes.
type Results struct {
	Weeks    []Week
	Sessions []Session
	Late     []Change // for their week
	// Dropped is how many changes were late for their session, Rejects how many lines were none of a Change.
	Dropped, Rejects int
}

// Plain computes what the job writes from the changes in their order, without the engine.
func Plain(changes []Change, delay, gap stream.Time) Results {
	p := plain{gap: gap, weeks: map[weekKey]*week{}, open: map[authorKey][]*span{}}
	watermark := flow.MinTime
	for i := range changes {
		c := &changes[i]
		p.week(c, watermark)
		p.session(c, watermark)
		watermark = max(watermark, c.Authored.Add(-delay).Add(-1))
	}
	for _, k := range p.weekOrder {
		p.Weeks = append(p.Weeks, p.weeks[k].result(k.repo, k.start, k.start+weekMillis))
	}
	for _, k := range p.keyOrder {
		for _, s := range p.open[k] {
			p.Sessions = append(p.Sessions, s.result(k, s.start, s.end))
		}
	}
	return p.Results
}

type plain struct {
	Results
	gap       stream.Time
	weeks     map[weekKey]*week
	weekOrder []weekKey
	open      map[authorKey][]*span // no two of a key touch
	keyOrder  []authorKey
}

type weekKey struct {
	repo  string
	start stream.Time
}

// span is a session that is still open.
type span struct {
	session
	start, end stream.Time
}

// week adds c to its week, unless the watermark has passed that.
func (p *plain) week(c *Change, watermark stream.Time) {
	k := weekKey{c.Repo, c.Authored - (c.Authored%weekMillis+weekMillis)%weekMillis}
	if k.start+weekMillis-1 <= watermark {
		p.Late = append(p.Late, *c)
		return
	}
	w := p.weeks[k]
	if w == nil {
		fresh := newWeek()
		w = &fresh
		p.weeks[k] = w
		p.weekOrder = append(p.weekOrder, k)
	}
	w.add(c)
}

// session closes the sessions of c's author that the watermark has passed, and joins c with those it touches. A change
// that touches none is late if the watermark has passed its own window.
func (p *plain) session(c *Change, watermark stream.Time) {
	k := keyOf(c)
	old, known := p.open[k]
	if !known {
		p.keyOrder = append(p.keyOrder, k)
	}
	joined := &span{newSession(), c.Authored, c.Authored + p.gap}
	var rest []*span
	for _, s := range old {
		switch {
		case s.end-1 <= watermark:
			p.Sessions = append(p.Sessions, s.result(k, s.start, s.end))
		case s.start <= c.Authored+p.gap && c.Authored <= s.end:
			joined.start, joined.end = min(joined.start, s.start), max(joined.end, s.end)
			joined.merge(&s.session)
		default:
			rest = append(rest, s)
		}
	}
	if joined.end-1 > watermark {
		joined.add(c)
		rest = append(rest, joined)
	} else {
		p.Dropped++
	}
	p.open[k] = rest
}

// read reads a file as the job's source does. A line that is no Change is counted.
func read(path string) (changes []Change, rejects int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, fmt.Errorf("commits: input: %w", err)
	}
	defer f.Close()
	var in io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if in, err = gzip.NewReader(f); err != nil {
			return nil, 0, fmt.Errorf("commits: input %s: %w", path, err)
		}
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxPlainLine)
	for lines.Scan() {
		line := bytes.Trim(lines.Bytes(), " \t\r")
		if len(line) == 0 {
			continue
		}
		var c Change
		if len(lines.Bytes()) > files.DefaultMaxLine || !utf8.Valid(line) || string(line) == "null" || json.Unmarshal(line, &c) != nil {
			rejects++
			continue
		}
		changes = append(changes, c)
	}
	if err := lines.Err(); err != nil {
		return nil, 0, fmt.Errorf("commits: input %s: %w", path, err)
	}
	return changes, rejects, nil
}

// Verify compares what the job has written to c.Output with Plain. The input must be a single file, since the order of
// several is not defined. Its error shows the first differences.
func Verify(c Config) (verdict string, err error) {
	if err := c.check(); err != nil {
		return "", err
	}
	changes, rejects, err := read(c.Input)
	if err != nil {
		return "", err
	}
	want := Plain(changes, flow.Duration(c.Delay), flow.Duration(c.Gap))
	if err := verify.Same(c.dir(weekly), want.Weeks); err != nil {
		return "", fmt.Errorf("commits: %w", err)
	}
	if err := verify.Same(c.dir(sessions), want.Sessions); err != nil {
		return "", fmt.Errorf("commits: %w", err)
	}
	if err := verify.Same(c.dir(late), want.Late); err != nil {
		return "", fmt.Errorf("commits: %w", err)
	}
	found, err := verify.Parts[connectors.Reject](c.dir(rejected))
	if err != nil {
		return "", fmt.Errorf("commits: %w", err)
	}
	if len(found) != rejects {
		return "", fmt.Errorf("commits: %s: %d rejects expected, %d found", c.dir(rejected), rejects, len(found))
	}
	return fmt.Sprintf("equal: %d weeks, %d sessions, %d late and %d rejected of %d changes (%d too late for a session)",
		len(want.Weeks), len(want.Sessions), len(want.Late), rejects, len(changes), want.Dropped), nil
}

// The folders of the output.
const (
	weekly   = "weekly"
	sessions = "sessions"
	late     = "late"
	rejected = "rejects"
)

func (c Config) dir(name string) string { return filepath.Join(c.Output, name) }
