package commits

import "github.com/weirstream/weir/stream"

// Change is one file changed by a commit: a line of the input. Times are in milliseconds since 1970, in JSON too.
type Change struct {
	Repo      string      `json:"repo"`
	Commit    string      `json:"commit"`
	Author    int64       `json:"author"`
	Authored  stream.Time `json:"authored"`
	Committed stream.Time `json:"committed"`
	Ext       string      `json:"ext"`
	Added     int64       `json:"added"`
	Deleted   int64       `json:"deleted"`
}

// Week is what happened in a repository from Start to End, End excluded.
type Week struct {
	Repo    string      `json:"repo"`
	Start   stream.Time `json:"start"`
	End     stream.Time `json:"end"`
	Changes int64       `json:"changes"`
	Added   int64       `json:"added"`
	Deleted int64       `json:"deleted"`
	// Authors is how many different ones there were.
	Authors int64 `json:"authors"`
}

// Session is a stretch of work of one author without a pause as long as the gap. End is the time of the last change, and
// the gap.
type Session struct {
	Repo    string      `json:"repo"`
	Author  int64       `json:"author"`
	Start   stream.Time `json:"start"`
	End     stream.Time `json:"end"`
	Changes int64       `json:"changes"`
	// Commits is how many different ones there were.
	Commits int64 `json:"commits"`
}

// authorKey is what sessions are kept by.
type authorKey struct {
	Repo   string
	Author int64
}

func keyOf(c *Change) authorKey { return authorKey{c.Repo, c.Author} }

// week is the accumulator of a Week.
type week struct {
	Changes, Added, Deleted int64
	Authors                 map[int64]bool
}

func newWeek() week { return week{Authors: map[int64]bool{}} }

func (w *week) add(c *Change) {
	w.Changes++
	w.Added += c.Added
	w.Deleted += c.Deleted
	w.Authors[c.Author] = true
}

func (w *week) result(repo string, start, end stream.Time) Week {
	return Week{repo, start, end, w.Changes, w.Added, w.Deleted, int64(len(w.Authors))}
}

// session is the accumulator of a Session.
type session struct {
	Changes int64
	Commits map[string]bool
}

func newSession() session { return session{Commits: map[string]bool{}} }

func (s *session) add(c *Change) {
	s.Changes++
	s.Commits[c.Commit] = true
}

func (s *session) merge(o *session) {
	s.Changes += o.Changes
	for c := range o.Commits {
		s.Commits[c] = true
	}
}

func (s *session) result(k authorKey, start, end stream.Time) Session {
	return Session{k.Repo, k.Author, start, end, s.Changes, int64(len(s.Commits))}
}
