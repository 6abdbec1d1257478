package scheduler

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/weirstream/weir/flow"
)

// RestartStrategy decides whether a job restarts after a failure.
type RestartStrategy interface {
	// Failed is told of every failure, once. It returns the delay before the restart in milliseconds, or why there is none.
	Failed(now flow.Time) (delay flow.Time, ok bool, why string)
}

// RestartType names a strategy: restart-strategy.type.
type RestartType string

const (
	NoRestart        RestartType = "none"
	FixedDelay       RestartType = "fixed-delay"
	FailureRate      RestartType = "failure-rate"
	ExponentialDelay RestartType = "exponential-delay"
)

// RestartConfig are the options of restart-strategy. Times are in milliseconds.
type RestartConfig struct {
	Type RestartType
	// Attempts is how many failures are followed by a restart: fixed-delay.attempts.
	Attempts int
	// Delay is the pause before each restart: fixed-delay.delay, failure-rate.delay.
	Delay flow.Time
	// MaxFailures within Interval are followed by a restart: failure-rate.max-failures-per-interval,
	// failure-rate.failure-rate-interval.
	MaxFailures int
	Interval    flow.Time
	// InitialBackoff is multiplied by BackoffMultiplier at every failure, up to MaxBackoff, and starts again after
	// ResetThreshold without one. JitterFactor of it is added or taken away at random. exponential-delay.initial-backoff,
	// .backoff-multiplier, .max-backoff, .reset-backoff-threshold, .jitter-factor.
	InitialBackoff, MaxBackoff, ResetThreshold flow.Time
	BackoffMultiplier, JitterFactor            float64
	// MaxAttempts is how many failures without a reset are followed by a restart, 0 for any number:
	// exponential-delay.attempts-before-reset-backoff.
	MaxAttempts int
}

// Limits of the options, in their units.
const (
	maxRestartDelay    flow.Time = 24 * 60 * 60 * 1000 // longer than that nobody waits for a restart
	maxFailuresCounted           = 10_000              // failure-rate remembers a time for each
)

// DefaultRestartConfig restarts for ever, with growing delays.
func DefaultRestartConfig() RestartConfig {
	return RestartConfig{
		Type: ExponentialDelay, Attempts: 1, Delay: 1000, MaxFailures: 1, Interval: 60_000,
		InitialBackoff: 1000, MaxBackoff: 60_000, ResetThreshold: 60 * 60 * 1000, BackoffMultiplier: 1.5, JitterFactor: 0.1,
	}
}

const restartPrefix = "restart-strategy."

// restartKeys set one option each. duration reads texts such as "10 s".
var restartKeys = map[string]func(c *RestartConfig, v string, duration func(string) (flow.Time, error)) error{
	"type": func(c *RestartConfig, v string, _ func(string) (flow.Time, error)) error {
		switch v {
		case "none", "off", "disable":
			c.Type = NoRestart
		case "fixed-delay", "fixeddelay":
			c.Type = FixedDelay
		case "failure-rate", "failurerate":
			c.Type = FailureRate
		case "exponential-delay", "exponentialdelay":
			c.Type = ExponentialDelay
		default:
			return fmt.Errorf("%q is none of none, fixed-delay, failure-rate, exponential-delay", v)
		}
		return nil
	},
	"fixed-delay.attempts":                            number(func(c *RestartConfig) *int { return &c.Attempts }),
	"fixed-delay.delay":                               span(func(c *RestartConfig) *flow.Time { return &c.Delay }),
	"failure-rate.delay":                              span(func(c *RestartConfig) *flow.Time { return &c.Delay }),
	"failure-rate.max-failures-per-interval":          number(func(c *RestartConfig) *int { return &c.MaxFailures }),
	"failure-rate.failure-rate-interval":              span(func(c *RestartConfig) *flow.Time { return &c.Interval }),
	"exponential-delay.initial-backoff":               span(func(c *RestartConfig) *flow.Time { return &c.InitialBackoff }),
	"exponential-delay.max-backoff":                   span(func(c *RestartConfig) *flow.Time { return &c.MaxBackoff }),
	"exponential-delay.reset-backoff-threshold":       span(func(c *RestartConfig) *flow.Time { return &c.ResetThreshold }),
	"exponential-delay.backoff-multiplier":            factor(func(c *RestartConfig) *float64 { return &c.BackoffMultiplier }),
	"exponential-delay.jitter-factor":                 factor(func(c *RestartConfig) *float64 { return &c.JitterFactor }),
	"exponential-delay.attempts-before-reset-backoff": number(func(c *RestartConfig) *int { return &c.MaxAttempts }),
}

type setRestart = func(*RestartConfig, string, func(string) (flow.Time, error)) error

func number(field func(*RestartConfig) *int) setRestart {
	return func(c *RestartConfig, v string, _ func(string) (flow.Time, error)) (err error) {
		*field(c), err = strconv.Atoi(v)
		return err
	}
}

func factor(field func(*RestartConfig) *float64) setRestart {
	return func(c *RestartConfig, v string, _ func(string) (flow.Time, error)) (err error) {
		*field(c), err = strconv.ParseFloat(v, 64)
		return err
	}
}

func span(field func(*RestartConfig) *flow.Time) setRestart {
	return func(c *RestartConfig, v string, duration func(string) (flow.Time, error)) (err error) {
		*field(c), err = duration(v)
		return err
	}
}

// RestartKeys lists the configuration keys that ReadRestartConfig knows, sorted.
func RestartKeys() []string {
	keys := make([]string, 0, len(restartKeys))
	for k := range restartKeys {
		keys = append(keys, restartPrefix+k)
	}
	slices.Sort(keys)
	return keys
}

// ReadRestartConfig sets c from the keys among values that begin with restart-strategy. and checks it. Options of a
// strategy that is not chosen are read and not used. duration reads texts such as "10 s".
func ReadRestartConfig(c RestartConfig, values map[string]string, duration func(string) (flow.Time, error)) (RestartConfig, error) {
	var keys []string
	for k := range values {
		if strings.HasPrefix(k, restartPrefix) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	for _, k := range keys {
		set, known := restartKeys[strings.TrimPrefix(k, restartPrefix)]
		if !known {
			return c, fmt.Errorf("%s: no such key; the keys are %s", k, strings.Join(RestartKeys(), ", "))
		}
		if err := set(&c, values[k], duration); err != nil {
			return c, fmt.Errorf("%s: %w", k, err)
		}
	}
	return c, c.Check()
}

// Check reports options that make no sense.
func (c RestartConfig) Check() error {
	var errs []error
	need := func(ok bool, key, what string) {
		if !ok {
			errs = append(errs, errors.New(restartPrefix+key+" must be "+what))
		}
	}
	delay := func(t flow.Time) bool { return t >= 0 && t <= maxRestartDelay }
	switch c.Type {
	case NoRestart:
	case FixedDelay:
		need(c.Attempts >= 0, "fixed-delay.attempts", "0 or more")
		need(delay(c.Delay), "fixed-delay.delay", "between 0 and 24 h")
	case FailureRate:
		need(delay(c.Delay), "failure-rate.delay", "between 0 and 24 h")
		need(c.MaxFailures >= 1 && c.MaxFailures <= maxFailuresCounted, "failure-rate.max-failures-per-interval", "between 1 and 10000")
		need(c.Interval > 0, "failure-rate.failure-rate-interval", "above 0")
	case ExponentialDelay:
		need(c.InitialBackoff >= 1 && delay(c.InitialBackoff), "exponential-delay.initial-backoff", "between 1 ms and 24 h")
		need(c.MaxBackoff >= c.InitialBackoff && delay(c.MaxBackoff), "exponential-delay.max-backoff", "between initial-backoff and 24 h")
		need(c.BackoffMultiplier >= 1 && !math.IsInf(c.BackoffMultiplier, 0), "exponential-delay.backoff-multiplier", "1 or more")
		need(c.JitterFactor >= 0 && c.JitterFactor <= 1, "exponential-delay.jitter-factor", "between 0 and 1")
		need(c.ResetThreshold > 0, "exponential-delay.reset-backoff-threshold", "above 0")
		need(c.MaxAttempts >= 0, "exponential-delay.attempts-before-reset-backoff", "0 or more")
	default:
		need(false, "type", "one of none, fixed-delay, failure-rate, exponential-delay")
	}
	return errors.Join(errs...)
}

// Strategy makes the strategy that c describes. random gives numbers in [0,1); only ExponentialDelay with jitter calls it.
func (c RestartConfig) Strategy(random func() float64) (RestartStrategy, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	switch c.Type {
	case FixedDelay:
		return &fixedDelay{RestartConfig: c}, nil
	case FailureRate:
		return &failureRate{RestartConfig: c}, nil
	case ExponentialDelay:
		if random == nil && c.JitterFactor > 0 {
			return nil, errors.New(restartPrefix + "exponential-delay.jitter-factor needs a source of random numbers")
		}
		return &exponentialDelay{RestartConfig: c, random: random}, nil
	}
	return noRestart{}, nil
}

type noRestart struct{}

func (noRestart) Failed(flow.Time) (flow.Time, bool, string) {
	return 0, false, "restart-strategy.type is none"
}

type fixedDelay struct {
	RestartConfig
	failures int
}

func (s *fixedDelay) Failed(flow.Time) (flow.Time, bool, string) {
	if s.failures >= s.Attempts {
		return 0, false, fmt.Sprintf("failure %d, and restart-strategy.fixed-delay.attempts is %d", s.failures+1, s.Attempts)
	}
	s.failures++
	return s.Delay, true, ""
}

type failureRate struct {
	RestartConfig
	times []flow.Time // of the latest failures, at most MaxFailures
}

func (s *failureRate) Failed(now flow.Time) (flow.Time, bool, string) {
	s.times = slices.DeleteFunc(s.times, func(t flow.Time) bool { return t.Add(s.Interval) <= now })
	if len(s.times) >= s.MaxFailures {
		return 0, false, fmt.Sprintf("failure %d within %d ms, and restart-strategy.failure-rate.max-failures-per-interval is %d",
			len(s.times)+1, int64(now-s.times[0]), s.MaxFailures)
	}
	s.times = append(s.times, now)
	return s.Delay, true, ""
}

type exponentialDelay struct {
	RestartConfig
	random   func() float64
	failures int       // since the last reset
	backoff  float64   // of the last failure, in milliseconds, without jitter
	until    flow.Time // when the last restart was or will be
}

func (s *exponentialDelay) Failed(now flow.Time) (flow.Time, bool, string) {
	if s.failures > 0 && now < s.until {
		return s.until - now, true, "" // the same trouble, seen by another region
	}
	if s.failures > 0 && now >= s.until.Add(s.ResetThreshold) {
		s.failures = 0
	}
	if s.MaxAttempts > 0 && s.failures >= s.MaxAttempts {
		return 0, false, fmt.Sprintf("failure %d without %d ms of peace, and restart-strategy.exponential-delay.attempts-before-reset-backoff is %d",
			s.failures+1, int64(s.ResetThreshold), s.MaxAttempts)
	}
	if s.failures == 0 {
		s.backoff = float64(s.InitialBackoff)
	} else {
		s.backoff = min(s.backoff*s.BackoffMultiplier, float64(s.MaxBackoff))
	}
	s.failures++
	delay := s.backoff
	if s.JitterFactor > 0 {
		delay += delay * s.JitterFactor * (2*s.random() - 1)
	}
	d := cmp.Or(flow.Time(math.Round(delay)), 1)
	s.until = now.Add(d)
	return d, true, ""
}
