package doctor

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/vicinity-sched/vicinity/internal/show"
	"github.com/vicinity-sched/vicinity/internal/sources"
	v1 "github.com/vicinity-sched/vicinity/plugins/config/v1"
)

// scrape is how a job is scraped that has metrics of a source.
type scrape struct {
	source int // index in cfg.Sources
	job    string
	// interval is the median time between samples, 0 where there is one sample only.
	interval time.Duration
	// age is how old the newest sample is.
	age time.Duration
}

const (
	// maxJobs is how many jobs are looked at for each source.
	maxJobs = 8
	// looksBack is how far back samples are read at most, and at least for how long.
	looksBack, looksBackAtLeast = time.Hour, 10 * time.Minute
	// scrapesPerWindow is how many scrapes a window should hold, for a missed one to do no harm.
	scrapesPerWindow = 4
)

// scraped looks at the times of samples: those of one series of each job.
func (l *look) scraped(ctx context.Context) []Result {
	var err error
	for i := range l.cfg.Sources {
		if f := l.of(l.cfg.Sources[i].Type); f != nil && err == nil {
			err = l.scrapedFor(ctx, i, f)
		}
	}
	if err != nil || len(l.scrapes) == 0 {
		why := "The samples of no source could be looked at."
		if err != nil {
			why = sentence(err.Error())
		}
		return []Result{notLooked(nameFresh, "%s", why), notLooked(nameWindow, "%s", why), notLooked(nameLookback, "%s", why)}
	}
	return slices.Concat(l.fresh(), l.windows(), l.seen())
}

// scrapedFor looks at the jobs that have the first metric of a source.
func (l *look) scrapedFor(ctx context.Context, i int, f *sources.Found) error {
	value, err := l.query(ctx, "topk by (job) (1, "+withSelector(f, l.cfg.Sources[i])+")")
	if err != nil {
		return err
	}
	vector, _ := value.(model.Vector)
	slices.SortFunc(vector, func(a, b *model.Sample) int { return cmp.Compare(a.Metric["job"], b.Metric["job"]) })
	back := min(max(scrapesPerWindow*l.cfg.Sources[i].Window.Duration, looksBackAtLeast), looksBack)
	for _, sample := range vector[:min(len(vector), maxJobs)] {
		value, err := l.query(ctx, fmt.Sprintf("%s[%ds]", selectorOf(sample.Metric), int(back.Seconds())))
		if err != nil {
			return err
		}
		if matrix, _ := value.(model.Matrix); len(matrix) == 1 && len(matrix[0].Values) > 0 {
			s := scrapeOf(matrix[0].Values, l.at())
			s.source, s.job = i, string(sample.Metric["job"])
			l.scrapes = append(l.scrapes, s)
		}
	}
	return nil
}

// query runs an instant query, whose answer is of any type, at the server's time.
func (l *look) query(ctx context.Context, promQL string) (model.Value, error) {
	server, err := l.api()
	if err != nil {
		return nil, err
	}
	ctx, cancel := l.limited(ctx)
	defer cancel()
	value, _, err := server.Query(ctx, promQL, l.at())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", l.Config.Prometheus.URL, err)
	}
	return value, nil
}

// withSelector is a selector of the first metric of a type, with the source's own matchers.
func withSelector(f *sources.Found, s v1.TelemetrySource) string {
	for _, p := range f.Type.Definition.Probes(s.Selector) {
		for _, m := range p.Metrics {
			if slices.ContainsFunc(f.Metrics, func(of sources.Metric) bool { return of.Name == m.Name && of.Series > 0 }) {
				return m.Series
			}
		}
	}
	return f.Metrics[0].Selector
}

// selectorOf selects one series.
func selectorOf(m model.Metric) string {
	var matchers []string
	for _, label := range slices.Sorted(maps.Keys(m)) {
		name := string(label)
		if label == model.MetricNameLabel {
			continue
		}
		if !model.LegacyValidation.IsValidLabelName(name) { // servers before UTF-8 names take no others, and none in quotes
			name = strconv.Quote(name)
		}
		matchers = append(matchers, fmt.Sprintf("%s=%q", name, string(m[label])))
	}
	return string(m[model.MetricNameLabel]) + "{" + strings.Join(matchers, ",") + "}"
}

// scrapeOf says how samples follow each other.
func scrapeOf(samples []model.SamplePair, at time.Time) scrape {
	var apart []time.Duration
	for i, s := range samples[1:] {
		apart = append(apart, s.Timestamp.Sub(samples[i].Timestamp))
	}
	s := scrape{age: max(at.Sub(samples[len(samples)-1].Timestamp.Time()), 0)}
	if slices.Sort(apart); len(apart) > 0 {
		s.interval = apart[len(apart)/2].Round(100 * time.Millisecond)
	}
	return s
}

const (
	// late is how many scrape intervals late the newest sample may be.
	late = 3
	// usualInterval is that of Prometheus, for a job of which there is one sample only.
	usualInterval = time.Minute
)

// fresh judges how old the newest samples are, job by job.
func (l *look) fresh() []Result {
	var all []Result
	oldest := time.Duration(0)
	for _, s := range l.scrapes {
		oldest = max(oldest, s.age)
		window := l.cfg.Sources[s.source].Window.Duration
		if s.age < max(late*cmp.Or(s.interval, usualInterval), clockTolerance) {
			continue
		}
		r := Result{
			Check: nameFresh, Severity: Warning, What: fmt.Sprintf("The newest sample of the job %s is %s old.", name(s.job), show.Duration(s.age.Round(time.Second))),
			Why:  "Rates lag behind the traffic, and edges vanish once the window has no samples.",
			Next: "See whether its targets are scraped (in Prometheus: up{job=" + strconv.Quote(s.job) + "}), and whether remote write lags behind.",
		}
		if s.interval > 0 {
			r.What = strings.TrimSuffix(r.What, ".") + fmt.Sprintf("; it is scraped every %s.", show.Duration(s.interval))
		}
		if s.age >= window {
			r.Severity = Error
		}
		all = append(all, r)
	}
	if len(all) == 0 {
		return []Result{good(nameFresh, "The newest samples are at most %s old.", show.Duration(oldest.Round(100*time.Millisecond)))}
	}
	return all
}

// name is a name for people, who would not see an empty one.
func name(s string) string {
	if s == "" {
		return "(none)"
	}
	return s
}

// windows compares the window of each source with how often its jobs are scraped.
func (l *look) windows() []Result {
	var all []Result
	for i, s := range l.cfg.Sources {
		slowest := l.slowest(i)
		least := leastWindow(slowest.interval)
		if slowest.interval == 0 || s.Window.Duration >= scrapesPerWindow*slowest.interval {
			continue
		}
		r := Result{
			Check: nameWindow, Severity: Warning,
			What: fmt.Sprintf("The window of %s is %s, and the job %s is scraped every %s: it holds less than %d scrapes.", s.Name, show.Duration(s.Window.Duration), name(slowest.job), show.Duration(slowest.interval), scrapesPerWindow),
			Why:  "A rate needs two samples. Where a scrape is missed, there is no rate and the traffic is missing.",
			Next: l.setSource(s.Name, "window", show.Duration(least)),
		}
		if s.Window.Duration < 2*slowest.interval {
			r.Severity = Error
		}
		all = append(all, r)
		l.changes = append(l.changes, change{
			source: s.Name, field: "window", value: show.Duration(least), severity: r.Severity, why: fmt.Sprintf("at least %d scrapes, one every %s", scrapesPerWindow, show.Duration(slowest.interval)),
		})
	}
	if len(all) == 0 {
		return []Result{good(nameWindow, "Each window holds at least %d scrapes.", scrapesPerWindow)}
	}
	return all
}

// leastWindow is the shortest window that can be recommended.
func leastWindow(interval time.Duration) time.Duration {
	least := scrapesPerWindow * interval
	for _, step := range []time.Duration{5 * time.Second, 30 * time.Second, time.Minute} {
		if rounded := (least + step - 1) / step * step; step == time.Minute || rounded <= 4*step {
			return rounded
		}
	}
	return least
}

// slowest is the job of a source that is scraped least often.
func (l *look) slowest(source int) scrape {
	var slowest scrape
	for _, s := range l.scrapes {
		if s.source == source && s.interval > slowest.interval {
			slowest = s
		}
	}
	return slowest
}

// seen judges whether instant queries see series between two scrapes.
func (l *look) seen() []Result {
	for _, s := range l.scrapes {
		if s.interval >= l.lookback {
			return []Result{{
				Check: nameLookback, Severity: Warning,
				What: fmt.Sprintf("The job %s is scraped every %s, and queries see samples of the last %s.", name(s.job), show.Duration(s.interval), show.Duration(l.lookback)),
				Why:  "Series vanish between two scrapes for instant queries, such as those of most checks.",
				Next: "Scrape more often, or raise --query.lookback-delta of Prometheus.",
			}}
		}
	}
	return []Result{good(nameLookback, "Queries see samples of the last %s, which is more than a scrape interval.", show.Duration(l.lookback))}
}

// targets looks for targets that are down, of the jobs that have the metrics.
func (l *look) targets(ctx context.Context) []Result {
	jobs := map[string]bool{}
	for _, s := range l.scrapes {
		if s.job != "" {
			jobs[s.job] = true
		}
	}
	if len(jobs) == 0 {
		return []Result{notLooked(nameTargets, "The series have no label job, so their targets are not known.")}
	}
	var all []Result
	looked := 0
	for _, job := range slices.Sorted(maps.Keys(jobs)) {
		up, down, err := l.upAndDown(ctx, job)
		if err != nil {
			return []Result{notLooked(nameTargets, "%s", sentence(err.Error()))}
		}
		looked += up
		if len(down) == 0 {
			continue
		}
		looked += len(down)
		r := Result{
			Check: nameTargets, Severity: Warning, What: fmt.Sprintf("%d of %d targets of the job %s are down: %s.", len(down), up+len(down), job, some(down, 5)),
			Why:  "Traffic that only these report is missing.",
			Next: "See why: in Prometheus, Status > Target health, or: up{job=" + strconv.Quote(job) + "} == 0",
		}
		if up == 0 {
			r.Severity = Error
		}
		all = append(all, r)
	}
	switch {
	case looked == 0:
		return []Result{notLooked(nameTargets, "The server has no series up of the jobs %s.", some(slices.Sorted(maps.Keys(jobs)), 5))}
	case len(all) == 0:
		return []Result{good(nameTargets, "The targets of the jobs with the metrics are up: %d of %d.", looked, looked)}
	}
	return all
}

// upAndDown asks for the targets of a job.
func (l *look) upAndDown(ctx context.Context, job string) (up int, down []string, err error) {
	value, err := l.query(ctx, fmt.Sprintf("up{job=%q}", job))
	if err != nil {
		return 0, nil, err
	}
	vector, _ := value.(model.Vector)
	for _, s := range vector {
		if s.Value > 0 {
			up++
			continue
		}
		down = append(down, string(s.Metric["instance"]))
	}
	slices.Sort(down)
	return up, down, nil
}

// some are the first of a list.
func some(all []string, most int) string {
	if len(all) > most {
		all = append(all[:most:most], fmt.Sprintf("and %d more", len(all)-most))
	}
	return strings.Join(all, ", ")
}
