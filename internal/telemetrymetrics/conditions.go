package telemetrymetrics

import (
	"github.com/vicinity-sched/vicinity/flowgraph/telemetry"
	"github.com/vicinity-sched/vicinity/internal/metricdef"
)

// foundKey is a source with a condition.
type foundKey struct {
	source    string
	condition telemetry.Condition
}

func (o *Observer) defineConditions(source metricdef.Label) {
	condition := metricdef.Label{Name: "condition"}
	for _, c := range telemetry.Conditions() {
		condition.Values = append(condition.Values, metricdef.Value{Name: c.String(), Meaning: meaningOfCondition(c)})
	}
	o.condition = o.set.Gauges(metricdef.Metric{
		Name:   "vicinity_telemetry_condition",
		Help:   "1 while a source is in a condition that makes its figures wrong or incomplete, else 0. Checked when the scheduler starts and once an hour, and every five minutes while a condition lasts; missing bytes, several clusters, missing labels and unmatched services show at once.",
		Labels: []metricdef.Label{source, condition},
		Alerts: []metricdef.Alert{{
			Name:    "VicinityTelemetryCondition",
			PromQL:  `vicinity_telemetry_condition{condition!~"young-data|unchecked"} > 0`,
			Meaning: "Pods are scheduled by figures that are wrong or incomplete. The scheduler's log and `vicinity graph` say what is wrong and what to do next.",
		}, {
			Name: "VicinityTelemetryDataYoung",
			PromQL: `vicinity_telemetry_condition{condition="young-data"} > 0
  and min_over_time(vicinity_telemetry_condition{condition="young-data"}[30m]) > 0
  and vicinity_telemetry_condition{condition="young-data"} offset 30m`, // without the last, half an hour need not have passed
			Meaning: "For half an hour the data has not reached back over the source's `window`: Prometheus loses its data again and again, or keeps less than the window.",
		}, {
			Name: "VicinityTelemetryUnchecked",
			PromQL: `vicinity_telemetry_condition{condition="unchecked"} > 0
  and min_over_time(vicinity_telemetry_condition{condition="unchecked"}[1h]) > 0
  and vicinity_telemetry_condition{condition="unchecked"} offset 1h`,
			Meaning: "For an hour Prometheus has answered the source's queries, but not the checks. The scheduler's log has the error.",
		}},
	})
}

// noteConditions shows what a source was found in, and logs what begins or ends: a
// line for each change, whatever the counts in it do.
func (o *Observer) noteConditions(source telemetry.SourceStatus) {
	now := map[telemetry.Condition]telemetry.Finding{}
	for _, f := range source.Findings {
		if _, known := now[f.Condition]; !known {
			now[f.Condition] = f
		}
	}
	for _, c := range telemetry.Conditions() {
		key := foundKey{source.Name, c}
		f, is := now[c]
		was := o.found[key]
		value := 0.0
		switch {
		case is && !was:
			o.found[key] = true
			o.logger.Info("The telemetry is not what it looks like", "source", source.Name, "condition", c.String(), "what", f.Text(), "why", f.Why,
				"next", f.Next(telemetry.SetInFile("the TelemetryConfiguration", source.Name)))
		case !is && was:
			delete(o.found, key)
			o.logger.Info("A condition of the telemetry has passed", "source", source.Name, "condition", c.String())
		}
		if is {
			value = 1
		}
		o.condition.With(source.Name, c.String()).Set(value)
	}
}
