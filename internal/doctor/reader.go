package doctor

import (
	"context"
	"errors"
	"slices"
	"strings"
)

// nameAccess is the check of what whoever runs doctor may read.
const nameAccess = "cluster-access"

// essential are the checks of which at least one has to be made to know anything of a cluster:
// whether a scheduler is there, and what it places.
func essential() []string { return []string{"scheduler-installed", "workloads-handed-over"} }

// nothingEssential begins the result where none of them can be made for lack of permissions.
const nothingEssential = "Nothing essential of the cluster can be looked at: "

func lookListed(ctx context.Context, s *clusterState) []Result {
	o := s.Inventory
	if o.err != nil {
		return notChecked(o.err)
	}
	var refused, granted []string
	for _, kind := range o.refused {
		name := o.permissions[kind].GroupResource()
		refused = append(refused, name)
		if !slices.Contains([]string{kindRule, kindAppGroup, kindSidecar}, kind) { // kubectl grants nothing on kinds that are not there
			granted = append(granted, name)
		}
	}
	if _, err := s.ourLeases(ctx); err != nil {
		missing, denied := deniedBy(err)
		if !denied {
			return notChecked(err)
		}
		refused, granted = append(refused, missing.GroupResource()), append(granted, missing.GroupResource())
	}
	if len(refused) == 0 {
		return allRight("You may list all that the checks look at in all namespaces.")
	}
	what := "Some checks cannot be made, or not in full: "
	if o.without(kindPod) != nil && lookInstalled(ctx, s)[0].Severity == Unchecked {
		what = nothingEssential
	}
	next := "docs/doctor.md#permissions has a ClusterRole that allows all that doctor reads."
	if len(granted) > 0 {
		next = "Have an administrator type the following, with your name from kubectl auth whoami for USER: kubectl create clusterrole vicinity-doctor --verb=get,list --resource=" +
			strings.Join(granted, ",") + " && kubectl create clusterrolebinding vicinity-doctor --clusterrole=vicinity-doctor --user=USER. " + next
	}
	return finding(Unchecked, what+"you may not list "+strings.Join(refused, ", ")+".", "Doctor cannot tell whether something is wrong where it cannot look.", next)
}

// Blind returns an error where checks of a cluster were run, and nothing essential could be
// looked at: neither a scheduler nor pods. It says why, and what to do.
func (r Report) Blind() error {
	var why *Result
	for i := range r.Results {
		switch result := &r.Results[i]; {
		case slices.Contains(essential(), result.Check) && result.Severity != Unchecked:
			return nil
		case result.Check == nameAccess:
			why = result
		}
	}
	if why == nil {
		return nil
	}
	reason := strings.TrimPrefix(strings.TrimPrefix(why.What, nothingEssential), unlooked)
	text := "nothing essential of the cluster could be looked at: " + strings.TrimSuffix(reason, ".")
	if why.Next != "" {
		text += ". " + why.Next
	}
	return errors.New(text)
}
