package lexical

import "strings"

// withPlainForms returns the forms under which a lower-case word is indexed: the parts of a
// compound (crash, loop, back, off for crashloopbackoff), or an abbreviation and its long form
// (oom, out, memory for oom). The lists come from Kubernetes' kinds and container states (its API
// reference) and from kubectl's short names (`kubectl api-resources`).
func withPlainForms(word string) []string {
	if parts, ok := compounds[word]; ok {
		return strings.Fields(parts)
	}
	if long, ok := abbreviations[word]; ok {
		return append([]string{word}, strings.Fields(long)...)
	}
	return []string{word}
}

// compounds maps words that are written as one or as several to their parts.
var compounds = map[string]string{
	"apiserver": "api server", "backoff": "back off", "clusterrole": "cluster role", "clusterrolebinding": "cluster role binding",
	"configmap": "config map", "containercreating": "container creating", "controllermanager": "controller manager",
	"crashloop": "crash loop", "crashloopbackoff": "crash loop back off", "crashlooping": "crash looping", "cronjob": "cron job",
	"daemonset": "daemon set", "daemonsets": "daemon sets", "deadlock": "dead lock", "diskpressure": "disk pressure",
	"errimagepull": "err image pull", "failover": "fail over", "filesystem": "file system", "filesystems": "file systems",
	"healthcheck": "health check", "hostname": "host name", "imagepullbackoff": "image pull back off", "kubeconfig": "kube config",
	"limitrange": "limit range", "loadbalancer": "load balancer", "memorypressure": "memory pressure", "networkpolicy": "network policy",
	"nodeport": "node port", "oomkilled": "oom out memory killed", "oomkill": "oom out memory kill", "persistentvolume": "persistent volume",
	"persistentvolumes": "persistent volumes", "persistentvolumeclaim": "persistent volume claim",
	"persistentvolumeclaims": "persistent volume claims", "pidpressure": "pid pressure", "podmonitor": "pod monitor",
	"replicaset": "replica set", "replicasets": "replica sets", "replicationcontroller": "replication controller",
	"resourcequota": "resource quota", "rolebinding": "role binding", "rollback": "roll back", "serviceaccount": "service account",
	"servicemonitor": "service monitor", "statefulset": "stateful set", "statefulsets": "stateful sets", "storageclass": "storage class",
	"timeout": "time out", "timeouts": "time outs",
}

// abbreviations maps abbreviations to their long forms. Both are indexed, so that an abbreviation
// also matches itself.
var abbreviations = map[string]string{
	"acl": "access control list", "ca": "certificate authority", "cert": "certificate", "certs": "certificates",
	"cidr": "classless routing", "cm": "config map", "cni": "container network interface", "config": "configuration",
	"cr": "custom resource", "crd": "custom resource definition", "csi": "container storage interface", "db": "database",
	"deploy": "deployment", "ds": "daemon set", "ep": "endpoint", "fs": "file system", "hpa": "horizontal pod autoscaler",
	"ing": "ingress", "k8s": "kubernetes", "kube": "kubernetes", "lb": "load balancer", "mem": "memory", "ns": "namespace",
	"oom": "out memory", "pdb": "pod disruption budget", "prom": "prometheus", "psp": "pod security policy", "pv": "persistent volume",
	"pvc": "persistent volume claim", "rbac": "role based access control", "rs": "replica set", "sa": "service account",
	"sc": "storage class", "sts": "stateful set", "svc": "service", "vpa": "vertical pod autoscaler",
}
