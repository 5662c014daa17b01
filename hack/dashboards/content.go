package main

// Leader and standbys export the same figures of the cluster, hence the maximum over instances.
const (
	// traffic is what is exchanged, by level.
	trafficAll      = `max by (level) (vicinity_traffic_bytes_per_second{pods="all"})`
	trafficVicinity = `max by (level) (vicinity_traffic_bytes_per_second{pods="vicinity"})`
	// placed leaves out traffic that has no distance now.
	placedAll      = `max by (level) (vicinity_traffic_bytes_per_second{pods="all",level=~"node|zone|region|beyond|unknown"})`
	placedVicinity = `max by (level) (vicinity_traffic_bytes_per_second{pods="vicinity",level=~"node|zone|region|beyond|unknown"})`
	// between crosses from one zone to another.
	betweenAll      = `sum(max by (level) (vicinity_traffic_bytes_per_second{pods="all",level=~"region|beyond"}))`
	betweenVicinity = `sum(max by (level) (vicinity_traffic_bytes_per_second{pods="vicinity",level=~"region|beyond"}))`
)

// The metrics that other programs of the same job may have too.
const (
	// ofVicinity keeps the series of instances of vicinity-scheduler.
	ofVicinity = `* on (instance, job) group_left () max by (instance, job) (vicinity_graph_generation >= bool 0)`
	// ofLeader keeps those of the instance that leads: a standby takes no pod from its queues.
	ofLeader = `* on (instance, job) group_left () max by (instance, job) (leader_election_master_status == 1) ` + ofVicinity
)

// share is the part of the traffic that stays on the given levels.
func share(levels, pods, placed string) string {
	return `sum(max by (level) (vicinity_traffic_bytes_per_second{pods="` + pods + `",level=~"` + levels + `"})) / (sum(` + placed + `) > 0)`
}

func dashboards() []dashboard {
	return []dashboard{localityPage(), moneyPage(), healthPage(), shadowPage()}
}

const (
	aboutPlaced = "Of the traffic between pods and sites that are there; traffic with an end that has no pod, or none that serves, is left out. An end on a node without labels counts as not local."
	aboutPods   = "\"vicinity\" is the traffic with a workload at either end all of whose serving pods were placed by a profile with TrafficLocality."
)

func localityPage() dashboard {
	return dashboard{
		name: "locality", title: "Traffic locality", about: "What stays local now: vicinity_traffic_bytes_per_second, measured once a minute by the placement and the routing of the moment.",
		rows: []row{
			{5, []panel{
				{kind: "stat", title: "Stays on the node", about: aboutPlaced + " " + aboutPods, unit: "percentunit", queries: []query{
					{share("node", "all", placedAll), "all"}, {share("node", "vicinity", placedVicinity), "vicinity"}}},
				{kind: "stat", title: "Stays in the zone, the node included", about: aboutPlaced + " " + aboutPods, unit: "percentunit", queries: []query{
					{share("node|zone", "all", placedAll), "all"}, {share("node|zone", "vicinity", placedVicinity), "vicinity"}}},
				{kind: "stat", title: "Traffic that the graph has", about: "Both directions. " + aboutPods, unit: "Bps", queries: []query{
					{"sum(" + trafficAll + ")", "all"}, {"sum(" + trafficVicinity + ")", "vicinity"}}},
				{kind: "stat", title: "Serving pods whose traffic is seen", about: "The others are not in the mesh, or do not talk: the shares say nothing of them.", unit: "percentunit", queries: []query{
					{`sum(max by (traffic) (vicinity_serving_pods{pods="all",traffic="seen"})) / (sum(max by (traffic) (vicinity_serving_pods{pods="all"})) > 0)`, "all"}}},
			}},
			{9, []panel{
				{kind: "timeseries", title: "Share that stays", about: aboutPlaced + " " + aboutPods, unit: "percentunit", queries: []query{
					{share("node", "all", placedAll), "on the node, all"}, {share("node|zone", "all", placedAll), "in the zone, all"},
					{share("node", "vicinity", placedVicinity), "on the node, vicinity"}, {share("node|zone", "vicinity", placedVicinity), "in the zone, vicinity"}}},
				{kind: "timeseries", title: "Traffic by how far it goes", about: "The levels have nothing in common: together they are all of it.", unit: "Bps", stacked: true, queries: []query{
					{trafficAll, "{{level}}"}}},
			}},
			{9, []panel{
				{kind: "timeseries", title: "Traffic of Vicinity's workloads by how far it goes", about: aboutPods, unit: "Bps", stacked: true, queries: []query{{trafficVicinity, "{{level}}"}}},
				{kind: "timeseries", title: "Not in these figures", about: "Traffic that the telemetry reports and that belongs to no pair of workloads, by reason, and traffic with the configured sites, which is in the figures.", unit: "Bps", queries: []query{
					{`sum by (reason) (max by (source, reason) (vicinity_telemetry_left_out_bytes_per_second)) > 0`, "{{reason}}"},
					{`sum(max by (source) (vicinity_telemetry_sites_bytes_per_second)) > 0`, "sites (in the figures)"}}},
			}},
		},
	}
}

const aboutMoney = "The traffic between two zones times the price above. A month is 30 days, a GB is 1e9 bytes. The levels \"region\" and \"beyond\" count as between zones: " +
	"where nodes have no zone labels, \"beyond\" is between nodes, and this page is meaningless. Traffic between regions has a price of its own, which is not used here."

func moneyPage() dashboard {
	month := func(bytes string) string { return bytes + ` * 30 * 86400 / 1e9 * $price_per_gb` }
	spent := func(pods string) string {
		return `avg_over_time((sum(max by (level) (vicinity_traffic_bytes_per_second{pods="` + pods + `",level=~"region|beyond"})))[$__range:1m]) * $__range_s / 1e9 * $price_per_gb`
	}
	return dashboard{
		name: "money", title: "Cost of traffic between zones", about: "What the traffic that crosses zones costs at a price of your own.",
		variables: []variable{{"price_per_gb", "Price of 1e9 bytes between zones, both ends added up", "0.02"}},
		rows: []row{
			{5, []panel{
				{kind: "stat", title: "A month at the present rate", about: aboutMoney + " " + aboutPods, unit: "short", queries: []query{
					{month(betweenAll), "all"}, {month(betweenVicinity), "vicinity"}}},
				{kind: "stat", title: "In the time shown", about: aboutMoney + " The mean of the time for which there are figures is taken for the whole of it.", unit: "short", queries: []query{
					{spent("all"), "all"}, {spent("vicinity"), "vicinity"}}},
				{kind: "stat", title: "Bytes between zones now", about: aboutPods, unit: "Bps", queries: []query{{betweenAll, "all"}, {betweenVicinity, "vicinity"}}},
				{kind: "stat", title: "Share of the traffic that crosses zones", about: aboutPlaced, unit: "percentunit", queries: []query{
					{betweenAll + ` / (sum(` + placedAll + `) > 0)`, "all"}, {betweenVicinity + ` / (sum(` + placedVicinity + `) > 0)`, "vicinity"}}},
			}},
			{9, []panel{
				{kind: "timeseries", title: "A month at the rate of the moment", about: aboutMoney + " The price is that of today throughout.", unit: "short", queries: []query{
					{month(betweenAll), "all"}, {month(betweenVicinity), "vicinity"}}},
				{kind: "timeseries", title: "Price of 1 GB of traffic, wherever it goes", about: "The cost between zones by all traffic: unlike the cost itself, it does not move when the traffic grows.", unit: "short", queries: []query{
					{betweenAll + ` / (sum(` + placedAll + `) > 0) * $price_per_gb`, "all"}, {betweenVicinity + ` / (sum(` + placedVicinity + `) > 0) * $price_per_gb`, "vicinity"}}},
			}},
			{4, []panel{{kind: "text", title: "What it would be otherwise", text: "What you would pay under another scheduler or another routing cannot be measured. `vicinity replay` computes it from a recording of your traffic, with the same prices (`--price aws`); `vicinity locality --price aws` prints today's cost by namespace and edge."}}},
		},
	}
}

func healthPage() dashboard {
	return dashboard{
		name: "health", title: "Scheduler health", about: "Whether the scheduler has fresh telemetry, has its say, and what that costs.",
		rows: []row{
			{5, []panel{
				{kind: "stat", title: "Age of the traffic graph", about: "Of each instance. Influence decays from staleAfter (5 minutes) on and is gone at expireAfter.", unit: "s", queries: []query{{`vicinity_graph_age_seconds`, "{{instance}}"}}},
				{kind: "stat", title: "Permissions missing", about: "vicinity doctor names them.", unit: "short", queries: []query{{`sum(max by (permission) (vicinity_permission_missing))`, ""}}},
				{kind: "stat", title: "Conditions of the telemetry", about: "What makes its figures wrong or incomplete; docs/metrics.md has the list.", unit: "short", queries: []query{{`sum(max by (source, condition) (vicinity_telemetry_condition))`, ""}}},
				{kind: "stat", title: "Panics and task restarts in the time shown", about: "Mistakes in Vicinity: please report the lines in the log.", unit: "short", queries: []query{
					{`sum(increase(vicinity_panics_recovered_total[$__range]))`, "panics"}, {`sum(increase(vicinity_task_restarts_total[$__range]))`, "restarts"}}},
				{kind: "stat", title: "Sites apart", about: "Sites with traffic where no node is.", unit: "short", queries: []query{{`max(vicinity_sites_apart)`, ""}}},
				{kind: "stat", title: "Leads", about: "Instances that lead; there should be one.", unit: "short", queries: []query{{`sum(leader_election_master_status ` + ofVicinity + `)`, ""}}},
			}},
			{8, []panel{
				{kind: "timeseries", title: "Refreshes by result", about: "By source; of several instances, the one that has most of them. Anything but success leaves the graph as it is.", unit: "ops", queries: []query{
					{`max by (source, result) (rate(vicinity_telemetry_refreshes_total[$__rate_interval])) > 0`, "{{source}} {{result}}"}}},
				{kind: "timeseries", title: "Duration of a refresh, 90th percentile", about: "All queries of a source, one after the other.", unit: "s", queries: []query{
					{`histogram_quantile(0.9, sum by (source, le) (rate(vicinity_telemetry_refresh_duration_seconds_bucket[30m])))`, "{{source}}"}}},
				{kind: "timeseries", title: "Size of the graph", about: "Series are those of the last answers.", unit: "short", queries: []query{
					{`max(vicinity_graph_edges)`, "edges"}, {`max(vicinity_graph_workloads)`, "workloads"}, {`sum(max by (source) (vicinity_telemetry_series))`, "series"},
					{`sum by (reason) (max by (source, reason) (vicinity_telemetry_left_out_series)) > 0`, "left out: {{reason}}"}}},
			}},
			{8, []panel{
				{kind: "timeseries", title: "Graph: snapshots, refused and surplus", about: "Surplus edges are beyond trust.limits.", unit: "ops", queries: []query{
					{`max(rate(vicinity_graph_generation[$__rate_interval]))`, "snapshots"}, {`max(rate(vicinity_graph_refused_flows_total[$__rate_interval]))`, "refused flows"},
					{`max(rate(vicinity_graph_surplus_edges_total[$__rate_interval]))`, "surplus edges"}}},
				{kind: "timeseries", title: "Cycles with and without a say", about: "A cycle is either skipped, for a reason, or its scores are observed.", unit: "ops", stacked: true, queries: []query{
					{`sum(rate(vicinity_score_spread_points_count[$__rate_interval]))`, "scored"}, {`sum by (reason) (rate(vicinity_cycles_skipped_total[$__rate_interval])) > 0`, "skipped: {{reason}}"}}},
				{kind: "timeseries", title: "Points between the best and the worst node", about: "Before the plugin's weight. Near 0, TrafficLocality has no say.", unit: "short", queries: []query{
					{`histogram_quantile(0.5, sum by (le) (rate(vicinity_score_spread_points_bucket[1h])))`, "median"}, {`histogram_quantile(0.9, sum by (le) (rate(vicinity_score_spread_points_bucket[1h])))`, "90th percentile"}}},
			}},
			{8, []panel{
				{kind: "timeseries", title: "Cycles of note", about: "The peers' nodes were not among the candidates; more nodes had changed than one cycle takes over; declared edges were part of the score.", unit: "ops", queries: []query{
					{`sum(rate(vicinity_peer_nodes_not_scored_total[$__rate_interval]))`, "peers' nodes not scored"}, {`sum(rate(vicinity_cycles_behind_total[$__rate_interval]))`, "behind"},
					{`sum by (kind) (rate(vicinity_cycles_informed_total[$__rate_interval])) > 0`, "declared: {{kind}}"}}},
				{kind: "timeseries", title: "Time in the plugin, 99th percentile", about: "Of the cycles that kube-scheduler samples, one in ten.", unit: "s", queries: []query{
					{`histogram_quantile(0.99, sum by (extension_point, le) (rate(scheduler_plugin_execution_duration_seconds_bucket{plugin="TrafficLocality"}[1h])))`, "{{extension_point}}"}}},
				{kind: "timeseries", title: "Pods", about: "Attempts by result, and pods that wait by queue of the instance that leads.", unit: "short", queries: []query{
					{`sum by (profile, result) (rate(scheduler_schedule_attempts_total[$__rate_interval]) ` + ofVicinity + `) > 0`, "{{profile}} {{result}} a second"}, {`sum by (queue) (scheduler_pending_pods ` + ofLeader + `) > 0`, "wait: {{queue}}"}}},
			}},
			{8, []panel{
				{kind: "timeseries", title: "Memory", about: "Of each instance.", unit: "bytes", queries: []query{
					{`process_resident_memory_bytes ` + ofVicinity, "{{instance}} resident"}}},
				{kind: "timeseries", title: "Conditions of the telemetry over time", about: "1 while it is so.", unit: "short", queries: []query{
					{`max by (source, condition) (vicinity_telemetry_condition) > 0`, "{{source}} {{condition}}"}}},
			}},
		},
	}
}

// grown is by how much counters have grown in the time shown that are not there before they
// count: what the first sample says has happened too, and increase leaves it out.
func grown(counter string) string {
	return `(max_over_time(` + counter + `[$__range]) unless ` + counter + ` offset $__range) or increase(` + counter + `[$__range])`
}

func shadowPage() dashboard {
	kept := func(within string) string {
		of := func(node string) string {
			return `sum by (workload) (` + grown(`vicinity_shadow_workload_bytes_per_second_total{node="`+node+`",within="`+within+`"}`) + `)`
		}
		return of("preferred") + " - " + of("chosen")
	}
	about := "Summed up over the decisions that would have been others, as in vicinity locality --shadow: a workload that is rolled out twice counts twice."
	return dashboard{
		name: "shadow", title: "Shadow mode", about: "What TrafficLocality would have decided, for profiles with shadow: true.",
		rows: []row{
			{5, []panel{
				{kind: "stat", title: "Decisions in which it had a say", about: "In the time shown.", unit: "short", queries: []query{{`sum(increase(vicinity_shadow_decisions_total{outcome=~"same|other"}[$__range]))`, ""}}},
				{kind: "stat", title: "Would have been another node", about: "Of the decisions in which it had a say.", unit: "percentunit", queries: []query{
					{`sum(increase(vicinity_shadow_decisions_total{outcome="other"}[$__range])) / (sum(increase(vicinity_shadow_decisions_total{outcome=~"same|other"}[$__range])) > 0)`, ""}}},
				{kind: "stat", title: "More would have stayed on the node", about: about, unit: "Bps", queries: []query{{"sum(" + kept("node") + ")", ""}}},
				{kind: "stat", title: "More would have stayed in the zone, the node included", about: about, unit: "Bps", queries: []query{{"sum(" + kept("zone") + ")", ""}}},
			}},
			{9, []panel{
				{kind: "timeseries", title: "Decisions by outcome", about: "docs/metrics.md says what the outcomes mean.", unit: "ops", stacked: true, queries: []query{
					{`sum by (outcome) (rate(vicinity_shadow_decisions_total[$__rate_interval])) > 0`, "{{outcome}}"}}},
				{kind: "table", title: "Workloads whose decisions would most often have been others", about: "In the time shown.", unit: "short", queries: []query{
					{`topk(20, sum by (workload) (` + grown(`vicinity_shadow_workload_decisions_total{outcome="other"}`) + `) > 0)`, ""}}},
			}},
			{9, []panel{
				{kind: "table", title: "Workloads of which most would have stayed on the node", about: about, unit: "Bps", queries: []query{{"topk(20, (" + kept("node") + ") > 0)", ""}}},
				{kind: "table", title: "Workloads of which most would have stayed in the zone", about: about, unit: "Bps", queries: []query{{"topk(20, (" + kept("zone") + ") > 0)", ""}}},
			}},
		},
	}
}
