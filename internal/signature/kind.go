package signature

import "strings"

// kindOfTarget returns the kind of a target in one spelling, lower case and singular: deployment for
// Deployment/a, deployments/a, deploy/a, deployments.apps/a and apps/v1/Deployment/a. It is "" if
// the target has no kind.
func kindOfTarget(resource string) string {
	segments := strings.Split(resource, "/")
	for i := range min(2, len(segments)) {
		if isAPIVersion(segments[i]) {
			segments = segments[i+1:]
			break
		}
	}
	if len(segments) < 2 {
		return ""
	}
	kind, group, _ := strings.Cut(strings.ToLower(segments[0]), ".")
	if known, ok := kindSpellings[kind]; ok {
		return known
	}
	if group != "" {
		kind = strings.TrimSuffix(kind, "s")
	}
	return kind
}

// isAPIVersion reports whether p is a version of a Kubernetes API: v1, v2beta1.
func isAPIVersion(p string) bool {
	if !strings.HasPrefix(p, "v") || len(p) < 2 {
		return false
	}
	stage := strings.TrimLeft(p[1:], "0123456789")
	if len(stage) == len(p)-1 {
		return false
	}
	level := strings.TrimRight(stage, "0123456789")
	return stage == "" || level == "alpha" || level == "beta"
}

// kindSpellings has the plurals and short names of Kubernetes' kinds (kubectl api-resources).
var kindSpellings = makeKindSpellings(
	"pod pods po", "service services svc", "deployment deployments deploy", "statefulset statefulsets sts", "daemonset daemonsets ds",
	"replicaset replicasets rs", "replicationcontroller replicationcontrollers rc", "job jobs", "cronjob cronjobs cj", "node nodes no",
	"namespace namespaces ns", "persistentvolumeclaim persistentvolumeclaims pvc", "persistentvolume persistentvolumes pv",
	"configmap configmaps cm", "secret secrets", "ingress ingresses ing", "endpoints ep", "endpointslice endpointslices",
	"horizontalpodautoscaler horizontalpodautoscalers hpa", "poddisruptionbudget poddisruptionbudgets pdb",
	"networkpolicy networkpolicies netpol", "serviceaccount serviceaccounts sa", "storageclass storageclasses sc",
	"customresourcedefinition customresourcedefinitions crd crds", "resourcequota resourcequotas quota", "limitrange limitranges limits",
	"lease leases", "event events ev", "certificatesigningrequest certificatesigningrequests csr", "priorityclass priorityclasses pc",
	"volumeattachment volumeattachments", "role roles", "rolebinding rolebindings", "clusterrole clusterroles", "clusterrolebinding clusterrolebindings",
)

// makeKindSpellings returns the kind, which comes first in each list, by its spellings.
func makeKindSpellings(kinds ...string) map[string]string {
	spellings := map[string]string{}
	for _, kind := range kinds {
		names := strings.Fields(kind)
		for _, name := range names {
			spellings[name] = names[0]
		}
	}
	return spellings
}
