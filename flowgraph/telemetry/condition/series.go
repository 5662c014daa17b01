package condition

import (
	"fmt"
	"time"

	"github.com/vicinity-sched/vicinity/internal/show"
)

// NoSeries returns the likely causes of answers without a series: scraped is what has the
// metrics, such as "the mesh's proxies", and try is PromQL that shows whether the server
// has them.
func NoSeries(scraped, try string, window time.Duration) []string {
	return []string{
		fmt.Sprintf("Prometheus does not scrape %s. Try in its UI: %s", scraped, try),
		fmt.Sprintf("the window (%s) holds less than two scrapes. It should be at least four scrape intervals.", show.Duration(window)),
	}
}

// NothingSelected returns the cause that a source's selector may be, none without one.
func NothingSelected(selector string) []string {
	if selector == "" {
		return nil
	}
	return []string{fmt.Sprintf("the selector %s matches nothing. Try it without.", show.Printable(selector))}
}
