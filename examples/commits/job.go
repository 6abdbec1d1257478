package commits

import (
	"errors"
	"fmt"
	"time"

	"github.com/weirstream/weir/connectors/files"
	"github.com/weirstream/weir/stream"
)

const (
	weekMillis stream.Time = 7 * 24 * 60 * 60 * 1000
	// wholeFile keeps a file in one split: where it were cut, its lines would be read in no defined order.
	wholeFile = 1 << 62
)

// Config is what can be set on the job.
type Config struct {
	Input  string        // file, directory or pattern of JSON lines
	Output string        // directory of the results
	Delay  time.Duration // how much later than a change of a later time a change may come
	Gap    time.Duration // pause that ends a session
}

func (c Config) check() error {
	switch {
	case c.Input == "":
		return errors.New("commits: input: the file of changes is missing")
	case c.Output == "":
		return errors.New("commits: output: the directory of the results is missing")
	case c.Delay < 0:
		return fmt.Errorf("commits: delay %v is below 0", c.Delay)
	case c.Gap < time.Millisecond:
		return fmt.Errorf("commits: gap %v is below 1ms", c.Gap)
	}
	return nil
}

// Build makes the job: the weeks of each repository, and the sessions of each author in it. What is late depends on the
// order of the lines, so one subtask reads, and a watermark follows every record.
func Build(c Config) (*stream.Job, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	job := stream.NewJob("commits")
	times := stream.BoundedOutOfOrderness[Change](c.Delay).WithTimestamp(func(v *Change) stream.Time { return v.Authored }).EveryRecord()
	changes := stream.From(job, files.JSON[Change](c.Input, files.SplitSize(wholeFile)), times, stream.Name("changes"), stream.UID("changes"), stream.Parallelism(1))
	stream.Rejects(changes).To(files.JSONSink[stream.Reject](c.dir(rejected)), stream.Name("rejects"), stream.UID("rejects"))

	weeks := stream.AggregateWindow(
		stream.KeyBy(changes, func(v *Change) string { return v.Repo }).Window(stream.TumblingWindow(time.Duration(weekMillis)*time.Millisecond)),
		stream.Aggregate[Change, week]{Create: newWeek, Add: (*week).add},
		func(w *stream.WindowResult[string], acc *week) Week {
			return acc.result(w.Key, w.Window.Start, w.Window.End)
		},
		stream.Name("weeks"), stream.UID("weeks"))
	weeks.To(files.JSONSink[Week](c.dir(weekly)), stream.Name("weekly"), stream.UID("weekly"))
	stream.Late[Change](weeks).To(files.JSONSink[Change](c.dir(late)), stream.Name("late"), stream.UID("late"))

	stream.AggregateWindow(
		stream.KeyBy(changes, keyOf).Window(stream.SessionWindow(c.Gap)),
		stream.Aggregate[Change, session]{Create: newSession, Add: (*session).add, Merge: (*session).merge},
		func(w *stream.WindowResult[authorKey], acc *session) Session {
			return acc.result(w.Key, w.Window.Start, w.Window.End)
		},
		stream.Name("author sessions"), stream.UID("author-sessions"),
	).To(files.JSONSink[Session](c.dir(sessions)), stream.Name("sessions"), stream.UID("sessions"))
	return job, nil
}
