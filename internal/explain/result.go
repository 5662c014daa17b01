package explain

import "time"

// Schema names the JSON output. A change that could break a reader gets another number; new
// fields do not.
const Schema = "vicinity.explain/v1"

// Result explains the decision about a pod. Rates are bytes per second unless they say otherwise.
type Result struct {
	Schema string    `json:"schema"`
	MadeAt time.Time `json:"madeAt"`
	// Pod is the pod that is explained.
	Pod Pod `json:"pod"`
	// Scheduler is what decides.
	Scheduler Scheduler `json:"scheduler"`
	Graph     Graph     `json:"graph"`
	// Notes say what was assumed or left out.
	Notes []string `json:"notes"`
	// Locality says whether TrafficLocality has a say.
	Locality Locality `json:"locality"`
	// Edges are those of the pod's workload, the largest first.
	Edges []Edge `json:"edges"`
	// Nodes are all nodes: the candidates by their total, the highest first, then the others
	// by name.
	Nodes []Node `json:"nodes"`
	// Current is where the pod is; missing for one that is pending or does not exist.
	Current *Choice `json:"current,omitempty"`
	// Chosen is where it would go now, and WithoutLocality where it would with the weight 0 of
	// TrafficLocality.
	Chosen          Choice `json:"chosen"`
	WithoutLocality Choice `json:"withoutLocality"`
	// Rejected names the filter that refuses the pod wherever it may go.
	Rejected string `json:"rejected,omitempty"`
	// Pods are those that the workload has, where a workload is explained: each as if it were
	// pending again.
	Pods []WorkloadPod `json:"pods,omitempty"`
	// MorePods is how many others it has.
	MorePods int `json:"morePods,omitempty"`
}

// Pod is the pod that is explained.
type Pod struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Workload  string `json:"workload"`
	// Wanted is how many pods the workload's controller wants, 0 when nobody says.
	Wanted int32 `json:"wanted"`
	// Node is where it is, "" for one that is pending or does not exist.
	Node string `json:"node,omitempty"`
}

// Scheduler is what decides.
type Scheduler struct {
	// Config is the file, and Profile the schedulerName of the profile in it.
	Config  string `json:"config"`
	Profile string `json:"profile"`
	// Weights are those of the plugins that score.
	Weights map[string]int64 `json:"weights"`
}

// Graph is the traffic that the decision rests on.
type Graph struct {
	// DataAt is the time of the data, and AgeSeconds how old they are.
	DataAt     time.Time `json:"dataAt"`
	AgeSeconds float64   `json:"ageSeconds"`
	// Edges is how many were observed.
	Edges int `json:"edges"`
	// From is the time of the first of the Refreshes that the graph was rebuilt from, and
	// Failed how many of them had no answer or no traffic.
	From      time.Time `json:"from"`
	Refreshes int       `json:"refreshes"`
	Failed    int       `json:"failedRefreshes"`
	// Tolerance is how far rates may be from those of the scheduler's own graph.
	Tolerance Tolerance `json:"tolerance"`
}

// Tolerance is in parts of how much the observed rate of an edge has changed.
type Tolerance struct {
	// RecentChange is for changes since From, and EarlierChange for those before the last six
	// half-lives.
	RecentChange  float64 `json:"recentChange"`
	EarlierChange float64 `json:"earlierChange"`
}

// Locality says whether TrafficLocality has a say.
type Locality struct {
	// Skipped is why it has none, as vicinity_cycles_skipped_total has it, and Why a sentence;
	// missing when it has one.
	Skipped string `json:"skipped,omitempty"`
	Why     string `json:"why,omitempty"`
	// Basis is what its points rest on: gain, room or nothing.
	Basis string `json:"basis,omitempty"`
	// PodRate is what one pod exchanges, Significance how much of the range of points it has by
	// that, Influence what data of their age still count, and BestGain the gain that all gains
	// are measured against. With gain and Influence
	//
	//	gainPoints = 100 x significance x influence x gain after vetoes / bestGain
	PodRate      float64 `json:"podRate"`
	Significance float64 `json:"significance"`
	Influence    float64 `json:"influence"`
	BestGain     float64 `json:"bestGain"`
	// BetterElsewhere says that the pod would gain more on a node that a filter excludes.
	BetterElsewhere bool `json:"betterElsewhere"`
}

// Choice is where a pod is or would go.
type Choice struct {
	// Nodes are all that are equally good, by name; kube-scheduler takes one of them at random.
	// There is none when the pod fits nowhere.
	Nodes []string `json:"nodes"`
	// Total is the sum of all plugins' scores, and Rank the place by it among Of candidates, from
	// 1 on; 0 for a node that is no candidate.
	Total int64 `json:"total"`
	Rank  int   `json:"rank"`
	Of    int   `json:"of"`
}

// Edge is the traffic of the pod's workload with another one, or with itself.
type Edge struct {
	Peer string `json:"peer"`
	// Direction is "calls" when the pod's workload calls the peer, "called-by" for the reverse,
	// "itself" for traffic with itself.
	Direction string `json:"direction"`
	// SentBytesPerSecond go from the caller to the callee, ReceivedBytesPerSecond come back.
	SentBytesPerSecond     float64 `json:"sentBytesPerSecond"`
	ReceivedBytesPerSecond float64 `json:"receivedBytesPerSecond"`
	RequestsPerSecond      float64 `json:"requestsPerSecond"`
	// Share is the part in all bytes of the workload.
	Share float64 `json:"share"`
	// Origin says why the edge counts although nobody has observed it, such as "annotation";
	// missing where somebody has.
	Origin string `json:"origin,omitempty"`
	// Sources are those that see the edge now; there is none for one that is only retained, or
	// declared.
	Sources    []string  `json:"sources"`
	ObservedAt time.Time `json:"observedAt"`
	AgeSeconds float64   `json:"ageSeconds"`
	// Routing is how the calls are divided over the callee's pods, "" when the callee has none.
	Routing string `json:"routing,omitempty"`
	// PeerPods is how many pods of the peer serve.
	PeerPods int `json:"peerPods"`
	// Local is the part that stays within a level as placed and routed now; missing when an end
	// has no pod that serves.
	Local *Local `json:"local,omitempty"`
}

// Local is parts in [0,1].
type Local struct {
	Node   float64 `json:"node"`
	Zone   float64 `json:"zone"`
	Region float64 `json:"region"`
}

// Node is what is said of a node.
type Node struct {
	Name   string `json:"name"`
	Zone   string `json:"zone,omitempty"`
	Region string `json:"region,omitempty"`
	// Filter is the plugin that excludes the node, missing for a candidate, and Reasons why.
	Filter  string   `json:"filter,omitempty"`
	Reasons []string `json:"reasons,omitempty"`
	// Total is the sum of Scores, and Rank the place by it, from 1 on; 0 for no candidate.
	Total int64 `json:"total"`
	Rank  int   `json:"rank"`
	// Scores are the scores by plugin, normalised and multiplied by the plugin's weight. A plugin
	// that has nothing to say of the pod is missing.
	Scores map[string]int64 `json:"scores,omitempty"`
	// Points are TrafficLocality's, from 0 to 100, before the weight: the rounded sum of GainPoints
	// and RoomPoints. On a node that is no candidate neither network nor room were looked at.
	Points     int     `json:"points"`
	GainPoints float64 `json:"gainPoints"`
	RoomPoints float64 `json:"roomPoints"`
	// Gain is the sum of the gains by Peers before vetoes, and Anticipated the part of it by pods
	// that are still to come.
	Gain        float64 `json:"gain"`
	Anticipated float64 `json:"anticipated"`
	Peers       []Peer  `json:"peers,omitempty"`
	Vetoes      []Veto  `json:"vetoes,omitempty"`
}

// Peer is what a pod gains on a node by one edge.
type Peer struct {
	Peer      string  `json:"peer"`
	Direction string  `json:"direction"`
	Gain      float64 `json:"gain"`
	// Counts is the part of the gain that counts: less than 1 where trust.maxForeignShare bounds
	// what the peer's namespace contributes. Gain and Levels are what counts.
	Counts float64 `json:"counts"`
	Levels []Level `json:"levels"`
}

// Level is what is gained at one level: bytes per second times what a byte is worth more there
// than at the next wider level.
type Level struct {
	Level string `json:"level"`
	// Placed is by pods that are there, Anticipated by those that are still to come.
	Placed      float64 `json:"placed"`
	Anticipated float64 `json:"anticipated"`
}

// Veto is what takes the gain on a node away.
type Veto struct {
	// Veto is share, network or reserved.
	Veto string `json:"veto"`
	Why  string `json:"why"`
}

// WorkloadPod is one pod of a workload that is explained.
type WorkloadPod struct {
	Name string `json:"name"`
	Node string `json:"node"`
	// Points are TrafficLocality's for that node, Current its place, and Chosen where the pod would
	// go now.
	Points  int    `json:"points"`
	Current Choice `json:"current"`
	Chosen  Choice `json:"chosen"`
}
