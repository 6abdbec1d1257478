package examples

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// values reads the parameters of a job, and gathers what is wrong with them.
type values struct {
	job  string
	all  map[string]string
	errs []error
}

// newValues checks the names in p and fills in the defaults.
func newValues(job string, params []Param, p map[string]string) *values {
	v := &values{job: job, all: map[string]string{}}
	var names []string
	for _, param := range params {
		names = append(names, param.Name)
		v.all[param.Name] = param.Default
	}
	var unknown []string
	for name, value := range p {
		if !slices.Contains(names, name) {
			unknown = append(unknown, name)
		}
		v.all[name] = value
	}
	slices.Sort(unknown)
	for _, name := range unknown {
		v.errs = append(v.errs, fmt.Errorf("%s: there is no parameter %q (value %q): it has %s", job, name, p[name], strings.Join(names, ", ")))
	}
	return v
}

func (v *values) err() error { return errors.Join(v.errs...) }

func (v *values) wrong(name, want string) {
	v.errs = append(v.errs, fmt.Errorf("%s: parameter %s: %q is not %s", v.job, name, v.all[name], want))
}

// text is a value that must not be empty.
func (v *values) text(name string) string {
	s := v.all[name]
	if s == "" {
		v.wrong(name, "a path")
	}
	return s
}

// integer is a whole number, least or more.
func (v *values) integer(name string, least int64) int64 {
	n, err := strconv.ParseInt(v.all[name], 10, 64)
	if err != nil || n < least {
		v.wrong(name, fmt.Sprintf("a whole number from %d", least))
	}
	return n
}

// duration is a time span of at least so many milliseconds, the unit of event time.
func (v *values) duration(name string, least int64) time.Duration {
	d, err := time.ParseDuration(v.all[name])
	if err != nil || d.Milliseconds() < least || d%time.Millisecond != 0 {
		v.wrong(name, fmt.Sprintf("a duration such as 90s or 1h30m, in whole milliseconds and at least %d", least))
	}
	return d
}
