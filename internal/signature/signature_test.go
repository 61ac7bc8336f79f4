package signature

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/datastorage-service/datastorage/internal/redact"
)

func TestNormalize(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, in, want string }{
		{"empty", "", ""},
		{"blank lines and spaces", "  a   b \r\n\n\t c ", "a b\nc"},
		{"words stay as they are", "OOMKilled: container exceeded its memory limit", "OOMKilled: container exceeded its memory limit"},
		{"other scripts", "磁盘 空间不足 🚒 ที่เก็บ", "磁盘 空间不足 🚒 ที่เก็บ"},
		{"uuid", "volume pvc-3f2b8c1e-9a4d-4c7b-8e21-0f5a6b7c8d9e (3F2B8C1E-9A4D-4C7B-8E21-0F5A6B7C8D9E)", "volume pvc-<n> (<n>)"},
		{"ipv4", "dial tcp 10.0.0.5:5432: connect: connection refused from 10.1.2.3, 10.0.0.0/16", "dial tcp <ip>:5432: connect: connection refused from <ip>"},
		{"ipv6", "listen [fd00::1]:8080 and fe80::1%eth0 and ::1 and 2001:db8:0:0:0:0:0:1", "listen [<ip>]:<n> and <ip>"},
		{"deployment's pod", "pod api-gateway-7d9f8b6c5d-x2k4j is not ready", "pod api-gateway-<n> is not ready"},
		{"pod with namespace and uid", `Back-off restarting app in pod web-5d8f9c7b6d-x2k4j_shop(3f2b8c1e-9a4d-4c7b-8e21-0f5a6b7c8d9e)`, "Back-off restarting app in pod web-<n>_shop(<n>)"},
		{"replica set", "replicaset/api-7d9f8b6c5d scaled", "replicaset/api-<n> scaled"},
		{"daemon set's pod", "node-exporter-8xk2v evicted", "node-exporter-<n> evicted"},
		{"pod without digits", "api-7d9f8b6c5d-zzqjp restarted", "api-<n> restarted"},
		{"stateful set's pod", "redis-master-0 lost quorum with redis-replica-12", "redis-master-<n> lost quorum with redis-replica-<n>"},
		{"ordinary hyphenated words", "kube-state-metrics and cert-manager-webhook and ingress-nginx and rolling-update", "kube-state-metrics and cert-manager-webhook and ingress-nginx and rolling-update"},
		{"digest", "nginx@sha256:" + strings.Repeat("0a", 32) + " and sha256:" + strings.Repeat("1b", 32), "nginx@sha256:<n> and sha256:<n>"},
		{"image", `Failed to pull image "registry.example.com:5000/team/app:v1.2.3"`, `Failed to pull image "registry.example.com:<n>/team/app:v<n>"`},
		{"hex", "session 0x24f0557806a0020 commit a1b2c3d4e5f6 A1B2C3D4E5F6", "session <n> commit <n>"},
		{"durations", "took 5.2s, 1h2m3s, 250ms; waited 15000 milliseconds, 10 second(s) and 3 days", "took <n>; waited <n>"},
		{"sizes", "used 17.7GB of 512Mi, free 319.6 KB, 4096 bytes", "used <n> of <n>, free <n>"},
		{"percent and plain numbers", "disk 91% full, 3 of 5 replicas, load 0.75, delta -12", "disk <n> full, <n> of <n> replicas, load <n>, delta <n>"},
		{"exit code", "command terminated with exit code 137", "command terminated with exit code 137"},
		{"exit code after a colon", "exit code: 1, exit status 2, signal 9, errno=111", "exit code: 1, exit status 2, signal 9, errno=111"},
		{"http status", "HTTP 503 and HTTP/1.1 502 and status=404, status code: 429, took 35 ms", "HTTP 503 and HTTP/<n> 502 and status=404, status code: 429, took <n>"},
		{"only the first number after the word", "status 200 35", "status 200 <n>"},
		{"a long number is no code", "status 1700000000", "status <n>"},
		{"database error codes", "ERROR 1045 (28000): ORA-00942 SQLSTATE 42P01", "ERROR 1045 (<n>): ORA-00942 SQLSTATE 42P01"},
		{"timestamps", "2026-01-02T03:04:05.678Z 2026-01-02 03:04:05,678 at 03:04:05", "<time> at <time>"},
		{"syslog time", "Jun 18 02:23:10 combo and Sat Jun 18 02:23:10 2005 done", "<time> combo and <time> done"},
		{"may is also a word", "this may 5 times", "this may <n> times"},
		{"url", "GET https://api.example.com/v1/users/12345/orders?id=9f8e7d6c5b4a&page=2", "GET https://api.example.com/v<n>/users/<n>/orders?id=<n>&page=<n>"},
		{"path", "no space left on /var/lib/kubelet/pods/3f2b8c1e-9a4d-4c7b-8e21-0f5a6b7c8d9e/volumes", "no space left on /var/lib/kubelet/pods/<n>/volumes"},
		{"windows path", `open C:\data\run42\out.log`, `open C:\data\run<n>\out.log`},
		{"numbered names", "container_1445144423722_0020_01_000008 and attempt_1445144423722_0020_m_000008_0 and rdd_42_3", "container_<n> and attempt_<n>_m_<n> and rdd_<n>"},
		{"hosts", "node ip-10-0-3-17.ec2.internal and db-3.prod.example.com:5432", "node ip-<n>.ec2.internal and db-<n>.prod.example.com:<n>"},
		{"host names without digits stay", "redis.prod.svc.cluster.local", "redis.prod.svc.cluster.local"},
		{"classes are no hosts", "org.apache.hadoop.mapreduce.v2.app.MRAppMaster", "org.apache.hadoop.mapreduce.v<n>.app.MRAppMaster"},
		{"files are no hosts", "slf4j-api-1.7.jar app-42.log", "slf4j-api-<n>.jar app-<n>.log"},
		{"user names", "Failed password for invalid user bob from 10.0.0.1 port 22 ssh2", "Failed password for invalid user <n> from <ip> port <n> ssh2"},
		{"user without more", "session opened for user root by (uid=0)", "session opened for user <n> by (uid=<n>)"},
		{"user in prose", "user not found; user agent mozilla; by user request", "user not found; user agent mozilla; by user request"},
		{"for is not enough", "waiting for response from server", "waiting for response from server"},
		{"technical words", "TLS1 IPv4 ext4 s3 k8s x86_64 utf8 HTTP2", "TLS1 IPv4 ext4 s3 k8s x86_64 utf8 HTTP2"},
		{"class names", "Log4jLogger and Http2Server", "Log4jLogger and Http2Server"},
		{"numbered things", "eth0 worker12 thread-7", "eth<n> worker<n> thread-<n>"},
		{"ordinals", "the 99th percentile", "the <n> percentile"},
		{"key=value", "replicas=3 ready=false node=worker-2", "node=<n> ready=false replicas=<n>"},
		{"placeholders stay", "<ip> <n> deploy-<n> rdd_<n> <time>", "<ip> <n> deploy-<n> rdd_<n> <time>"},
		{"other angle brackets", "<none> <b>5</b> Vec<u8>", "<none> <b><n></b> Vec<u8>"},
		{"redacted stays", "password=[REDACTED] at 10.0.0.1", "password=[REDACTED] at <ip>"},
		{"json", `{"code":500,"reason":"x","pods":["a-5d8f9c7b6d-x2k4j"],"n":12}`, `{"code":500,"n":<n>,"pods":["a-<n>"],"reason":"x"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := Normalize(tt.in)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(got, Normalize(got)); diff != "" {
				t.Errorf("normalised twice (-once +twice):\n%s", diff)
			}
		})
	}
}

// TestMakeMergesOccurrences checks that texts about the same incident have one signature, and texts about
// different incidents have two.
func TestMakeMergesOccurrences(t *testing.T) {
	t.Parallel()
	parts := func(message string) Parts {
		return Parts{Name: "KubePodCrashLooping", ActionType: "restart_pod", TargetResource: "deployment/api", ErrorMessage: message}
	}
	tests := []struct {
		name, a, b string
		same       bool
	}{
		{"other pod", "pod api-7d9f8b6c5d-x2k4j OOMKilled, exit code 137", "pod api-5c4d8f7b9f-zz9qp OOMKilled, exit code 137", true},
		{"other case of hex", "block 0xDEADBEEF1 bad", "block 0xdeadbeef2 bad", true},
		{"other unit", "timeout after 900 ms", "timeout after 2 minutes", true},
		{"other white space", "a  b\n\nc", "a b\nc", true},
		{"other exit code", "exit code 137", "exit code 1", false},
		{"other status", "upstream returned HTTP 503", "upstream returned HTTP 401", false},
		{"other workload", "pod api-7d9f8b6c5d-x2k4j crashed", "pod db-7d9f8b6c5d-x2k4j crashed", false},
		{"other word", "connection refused by 10.0.0.1", "connection reset by 10.0.0.1", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			id, _, text := Make(parts(tt.a))
			otherID, _, otherText := Make(parts(tt.b))
			if same := id == otherID; same != tt.same {
				t.Errorf("same = %t, want %t:\n%s\n%s", same, tt.same, text, otherText)
			}
		})
	}
}

func TestMake(t *testing.T) {
	t.Parallel()
	id, incident, text := Make(Parts{
		Name:           "KubePodCrashLooping",
		ActionType:     "restart_pod",
		TargetResource: "deployment/api",
		ErrorMessage:   "pod api-7d9f8b6c5d-x2k4j: exit code 137",
		WorkflowYAML:   "apiVersion: v1\nsteps:\n- name: restart the pod\n  run: kubectl delete pod api-7d9f8b6c5d-x2k4j\n  timeout: 30s\n",
	})
	want := "KubePodCrashLooping\nrestart_pod\ndeployment\npod api-<n>: exit code 137\nrestart the pod\nkubectl delete pod api-<n>"
	if diff := cmp.Diff(want, text); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
	// Computed with coreutils: printf '\003<name>\0<kind>\0<error>' | sha256sum, first 16 bytes,
	// version nibble 8, variant bits 10; then the same for '\003<those 16 bytes>\0<the text
	// above>'.
	if diff := cmp.Diff("1cdbe045bf5c8b43bbf6a367a74711e1", hex.EncodeToString(incident[:])); diff != "" {
		t.Errorf("incident (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff("77df2264fc5e8c61913b2b7fa002d43c", hex.EncodeToString(id[:])); diff != "" {
		t.Errorf("id (-want +got):\n%s", diff)
	}
}

// TestMakeSeparatesIncidentAndRemedy checks that another action or workflow gives another signature
// of the same incident, and that another alert, kind of target or error gives another incident.
func TestMakeSeparatesIncidentAndRemedy(t *testing.T) {
	t.Parallel()
	first := Parts{Name: "DiskFull", ActionType: "resize", TargetResource: "pvc/data", ErrorMessage: "91% used", WorkflowYAML: "run: resize it"}
	tests := []struct {
		name                    string
		change                  func(*Parts)
		sameIncident, identical bool
	}{
		{"other numbers", func(p *Parts) { p.ErrorMessage = "97% used" }, true, true},
		{"other action", func(p *Parts) { p.ActionType = "clean_up" }, true, false},
		{"other workflow", func(p *Parts) { p.WorkflowYAML = "run: clean it up" }, true, false},
		{"no workflow", func(p *Parts) { p.WorkflowYAML = "" }, true, false},
		{"other alert", func(p *Parts) { p.Name = "DiskSlow" }, false, false},
		{"other kind of target", func(p *Parts) { p.TargetResource = "node/a" }, false, false},
		{"other error", func(p *Parts) { p.ErrorMessage = "91% of inodes used" }, false, false},
		{"a word of the error as the kind", func(p *Parts) { p.TargetResource, p.ErrorMessage = "", "persistentvolumeclaim\n91% used" }, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			other := first
			tt.change(&other)
			id, incident, text := Make(first)
			otherID, otherIncident, otherText := Make(other)
			if same := incident == otherIncident; same != tt.sameIncident {
				t.Errorf("same incident = %t", same)
			}
			if same := id == otherID; same != tt.identical {
				t.Errorf("same signature = %t:\n%s\n%s", same, text, otherText)
			}
		})
	}
}

func TestMakeIsBounded(t *testing.T) {
	t.Parallel()
	for name, word := range map[string]string{"words": "words and more ", "no spaces": "日本語", "placeholders": "10.0.0.1;"} {
		long := strings.Repeat(word, 20_000)
		_, _, text := Make(Parts{Name: "n", ActionType: "a", TargetResource: "k/a", ErrorMessage: long, WorkflowYAML: long})
		if len(text) > maxText || len(text) < maxText/2 || !utf8.ValidString(text) {
			t.Errorf("%s: %d bytes, valid UTF-8 %t", name, len(text), utf8.ValidString(text))
		}
		if again := Normalize(text); again != text {
			t.Errorf("%s: the cut text changes when normalised: …%q to …%q", name, text[len(text)-20:], again[len(again)-20:])
		}
		gist := summarizeWorkflow(long)
		if len(gist) > maxWorkflowText || !utf8.ValidString(gist) {
			t.Errorf("%s: workflow summary of %d bytes", name, len(gist))
		}
	}
}

func TestKindOfTarget(t *testing.T) {
	t.Parallel()
	for want, resources := range map[string]string{
		"deployment":            "deployment/a Deployment/a deployments/a deploy/a deployments.apps/a deployment.apps/a apps/v1/Deployment/a apps/v1/deployments/a",
		"pod":                   "pod/a Pod/a pods/a po/a v1/Pod/a v1/pods/a",
		"ingress":               "ingress/a ingresses/a ingresses.networking.k8s.io/a networking.k8s.io/v1beta1/Ingress/a",
		"persistentvolumeclaim": "pvc/a persistentvolumeclaims/a v1/PersistentVolumeClaim/data-0",
		"widget":                "widget/a Widget/a widgets.example.com/a example.com/v1alpha1/Widget/a",
		"kubernetes":            "kubernetes/a Kubernetes/b/c",
		"":                      "a v1",
	} {
		for resource := range strings.FieldsSeq(resources) {
			if got := kindOfTarget(resource); got != want {
				t.Errorf("%s: %q, want %q", resource, got, want)
			}
		}
	}
}

// TestNamesAreNotNormalizedAway checks that alerts whose whole name looks like a value stay apart,
// and that instances in a name fold.
func TestNamesAreNotNormalizedAway(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"4711": "4711", "10.0.0.1": "10.0.0.1", "a1b2c3d4e5f6": "a1b2c3d4e5f6", "DiskFull node-12": "DiskFull node-<n>", "磁盘4": "磁盘<n>",
		"KubePodCrashLooping-web-7d9f8b6c5d-x2k4j": "KubePodCrashLooping-web-<n>",
	} {
		if got := normalizeName(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestWorkflowGist(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, in, want string }{
		{"empty", "", ""},
		{
			"argo", "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata:\n  generateName: fix-\n  labels:\n    team: shop\nspec:\n  templates:\n  - name: drain\n    container:\n      image: bitnami/kubectl:1.30\n      command: [kubectl, drain, worker-2]\n",
			"Workflow\ndrain\n[kubectl, drain, worker-<n>]",
		},
		{"block scalar", "steps:\n- name: clean up\n  run: |\n    # remove old logs\n    find /var/log -mtime +7 -delete\n  env:\n    A: b\n", "clean up\nremove old logs\nfind /var/log -mtime <n> -delete"},
		{"comments", "# Scale out when the queue is long\nreplicas: 5 # more\n", "Scale out when the queue is long"},
		{"running text", "Check the events.\n\n```shell\nkubectl get events -n shop\n```\n- Restart it.", "Check the events.\nshell\nkubectl get events -n shop\nRestart it."},
		{"url is no field", "https://runbooks.example.com/x", "https://runbooks.example.com/x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, summarizeWorkflow(tt.in)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzMake(f *testing.F) {
	for _, seed := range []string{
		"pod api-7d9f8b6c5d-x2k4j_shop(3f2b8c1e-9a4d-4c7b-8e21-0f5a6b7c8d9e) exit code 137", "Sat Jun 18 02:23:10 2005 10 second(s)",
		"<n> ms <ip>:80 <pod>-x", "HTTP/1.1 503 v1.2.3 0x1f -12 +7 1e5 99th", "Failed password for invalid user user from ::1 port 22",
		"rhost=10.0.0.1 a@b:c/d.e_f-g", "nginx:1.25@sha256:0123456789abcdef", "2026-01-02T03:04:05Z 12:00:00 5 s.",
	} {
		f.Add(seed)
	}
	for _, name := range []string{"secrets.jsonl", "innocents.jsonl"} {
		data, err := os.ReadFile("../redact/testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			var sample struct{ Text string }
			if err := json.Unmarshal([]byte(line), &sample); err != nil {
				f.Fatalf("%s: %v", name, err)
			}
			f.Add(sample.Text)
		}
	}
	f.Fuzz(func(t *testing.T, s string) {
		s = redact.Text(s, redact.Actions{})
		once := Normalize(s)
		if twice := Normalize(once); twice != once {
			t.Errorf("not idempotent:\n%q\n%q\n%q", s, once, twice)
		}
		parts := Parts{Name: "n", ActionType: "a", TargetResource: "k/a", ErrorMessage: s, WorkflowYAML: s}
		id, _, text := Make(parts)
		if again, _, _ := Make(parts); again != id {
			t.Errorf("two signatures of %q", s)
		}
		if !utf8.ValidString(text) || len(text) > maxText {
			t.Errorf("text of %d bytes: %q", len(text), text)
		}
		if id[6]>>4 != 8 || id[8]>>6 != 2 {
			t.Errorf("%x is not a UUID of version 8", id)
		}
	})
}

func BenchmarkMake(b *testing.B) {
	const line = "2026-01-01T00:00:00Z level=error msg=\"dial tcp 10.0.0.5:5432: connection refused\" pod=api-5d8f9c7b6d-x2k4j\n"
	for name, size := range map[string]int{"300B": 300, "64KiB": 64 << 10} {
		parts := Parts{Name: "KubePodCrashLooping", ActionType: "restart_pod", TargetResource: "deployment/api", ErrorMessage: strings.Repeat(line, size/len(line)+1)[:size]}
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(size))
			for b.Loop() {
				Make(parts)
			}
		})
	}
}
