package condition

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
)

// precision is how exactly Reach finds out where data begin, as a part of the window.
const precision = 32

// Reach is how far the data of a metric reach back.
type Reach struct {
	Metric string
	// Back is the time for which there are data, short of at most a 32nd of the window;
	// the window when they fill it, or when there are none at all.
	Back time.Duration
	// Beyond is a time for which there are none any more; as near to Back as that is exact.
	Beyond time.Duration
}

// Young finds metrics whose data do not fill the window of the rates. at is the time
// of the data.
func Young(at time.Time, window time.Duration, reaches []Reach) []telemetry.Finding {
	shortest, passes := window, at
	byBack := map[time.Duration][]string{}
	for _, r := range reaches {
		byBack[r.Back] = append(byBack[r.Back], r.Metric)
		shortest = min(shortest, r.Back)
		if until := at.Add(window - r.Beyond); until.After(passes) {
			passes = until
		}
	}
	if shortest >= window {
		return nil
	}
	metrics := byBack[shortest]
	verb := "reaches"
	if len(metrics) > 1 {
		verb = "reach"
	}
	f := telemetry.Finding{
		Condition: telemetry.YoungData,
		What:      fmt.Sprintf("%s %s back about %s, less than the window of %s", enumerate(metrics), verb, short(shortest), short(window)),
		Why:       fmt.Sprintf("rates are means over the whole window, and therefore up to %.1f times too low", float64(window)/float64(max(shortest, window/precision))),
		Do:        "ask again in " + short(window-shortest),
		Until:     passes,
	}
	if minutes := shortest.Truncate(time.Minute); minutes > 0 {
		f.Setting, f.Value = "window", short(minutes)
	}
	return one(f)
}

// Find asks how far the data of a metric reach back, a window at most. query matches
// its series.
func Find(ctx context.Context, q telemetry.Querier, metric, query string, at time.Time, window time.Duration) (Reach, error) {
	r := Reach{Metric: metric, Back: window, Beyond: window}
	there := func(back time.Duration) (bool, error) {
		n := 0
		err := q.Query(ctx, query, at.Add(-back), func(telemetry.Series) error { n++; return nil })
		return n > 0, err
	}
	if full, err := there(window); err != nil || full {
		return r, err
	}
	if now, err := there(0); err != nil || !now {
		return r, err // how old no data are is no question
	}
	has, lacks := time.Duration(0), window
	for step := max(window/precision, time.Second); lacks-has > step; {
		middle := (has + (lacks-has)/2).Truncate(time.Second)
		ok, err := there(middle)
		if err != nil {
			return r, err
		}
		if ok {
			has = middle
		} else {
			lacks = middle
		}
		if middle == 0 {
			break
		}
	}
	r.Back, r.Beyond = has, lacks
	return r, nil
}

// short is a duration without the units that are zero.
func short(d time.Duration) string {
	text := d.Round(time.Second).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
