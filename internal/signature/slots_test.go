package signature

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// Alphabets of generated identifiers.
const (
	lowerHex = "0123456789abcdef"
	podAlpha = "bcdfghjklmnpqrstvwxz2456789"
	base36   = "0123456789abcdefghijklmnopqrstuvwxyz"
	base62   = base36 + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	base32   = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
)

// source draws the values of slots.
type source struct{ *rand.Rand }

func newSource(seed uint64) source { return source{rand.New(rand.NewPCG(seed, 1))} }

func (r source) from(alphabet string, length int) string {
	var s strings.Builder
	for range length {
		s.WriteByte(alphabet[r.IntN(len(alphabet))])
	}
	return s.String()
}

func (r source) pick(values ...string) string { return values[r.IntN(len(values))] }

func (r source) number(limit int) string { return fmt.Sprint(r.IntN(limit)) }

func (r source) uuid() string {
	return strings.Join([]string{r.from(lowerHex, 8), r.from(lowerHex, 4), r.from(lowerHex, 4), r.from(lowerHex, 4), r.from(lowerHex, 12)}, "-")
}

func (r source) ipv4() string {
	return fmt.Sprintf("%d.%d.%d.%d", r.IntN(256), r.IntN(256), r.IntN(256), r.IntN(256))
}

func (r source) groups(count, width int, separator string) string {
	groups := make([]string, count)
	for i := range groups {
		groups[i] = r.from(lowerHex, width)
	}
	return strings.Join(groups, separator)
}

// list returns one to five values.
func (r source) list(separator string, value func(source) string) string {
	values := make([]string, 1+r.IntN(5))
	for i := range values {
		values[i] = value(r)
	}
	return strings.Join(values, separator)
}

func (r source) time(layout string) string {
	zone := time.FixedZone(r.pick("CET", "UTC", "MST"), 3600*(r.IntN(20)-10))
	return time.Unix(1.5e9+r.Int64N(3e8), r.Int64N(1e9)).In(zone).Format(layout)
}

func (r source) duration() string {
	n := func(limit int) string { return r.number(limit) }
	return r.pick(n(60)+"s", n(1000)+"ms", n(60)+"m"+n(60)+"s", n(24)+"h "+n(60)+"m "+n(60)+"s", n(9)+"d"+n(24)+"h", "0."+n(99)+"s", n(99)+" seconds",
		"1 hour "+n(59)+" minutes", "PT"+n(59)+"M", n(99)+"µs", "1.2e-0"+n(9)+"s", n(9)+" weeks", "NaNs", "+Infs")
}

func (r source) size() string {
	return r.number(999) + r.pick("", "m", "Mi", "GiB", " kB", " TB", " bytes", "k", ".5Gi", "e6", ",024 bytes", "MB/s", " Mbps")
}

// TestSlotsFold draws two values for a slot, again and again: both texts have one signature, whatever
// values fall.
func TestSlotsFold(t *testing.T) {
	t.Parallel()
	slots := []struct {
		text string // %s is the slot
		draw func(source) string
	}{
		{"volume pvc-%s is stuck", source.uuid},
		{"cgroup kubepods-pod%s.slice", func(r source) string { return strings.ReplaceAll(r.uuid(), "-", "_") }},
		{"sync to %s failed", func(r source) string { return r.from(lowerHex, 40) }},
		{"commit %s broke it", func(r source) string { return r.from(lowerHex, 7) }},
		{"object 0x%s leaked", func(r source) string { return r.from(lowerHex, 12) }},
		{"image a@sha256:%s missing", func(r source) string { return r.from(lowerHex, 64) }},
		{"volume vol-%s is stuck", func(r source) string { return r.from(lowerHex, 17) }},
		{"id=%s expired", func(r source) string { return r.from(base62, 8) }},
		{"span %s has no parent", func(r source) string { return r.from(lowerHex, 5) + r.number(10) }},
		{"event %s lost", func(r source) string { return "01" + r.from(base32, 20) + r.number(9999) }},
		{"pod web-%s crashed", func(r source) string { return r.from(podAlpha, 9+r.IntN(2)) + "-" + r.from(podAlpha, 5) }},
		{"pod exporter-%s crashed", func(r source) string { return r.from(podAlpha, 5) }},
		{"pod kafka-%s crashed", func(r source) string { return r.number(20) }},
		{"workflow etl-%s failed", func(r source) string { return r.from(podAlpha, 5) + "-extract-" + r.number(1e9) }},
		{"node gke-prod-pool-%s is gone", func(r source) string { return r.from(lowerHex, 8) + "-" + r.from(base36, 4) }},
		{"node aks-pool1-%s is gone", func(r source) string { return fmt.Sprintf("%08d-vmss0000", r.IntN(1e8)) + r.from(base36, 2) }},
		{"node ip-%s.ec2.internal is gone", func(r source) string { return strings.ReplaceAll(r.ipv4(), ".", "-") }},
		{"node=%s is gone", func(r source) string { return r.pick("worker-3", "ip-10-0-0-1.ec2.internal", "db", "esx07.lan") }},
		{"dial tcp %s: refused", func(r source) string { return r.ipv4() + ":5432" }},
		{"read tcp %s->10.0.0.1:443: timeout", func(r source) string { return r.ipv4() + ":" + fmt.Sprint(32768+r.IntN(32768)) }},
		{"brokers %s are gone", func(r source) string {
			return r.list(",", func(r source) string { return r.ipv4() + ":9092" })
		}},
		{"peers %s are gone", func(r source) string { return r.list(", ", source.ipv4) }},
		{"peers: %s", func(r source) string { return r.list(",", source.ipv4) }},
		{"workers %s are gone", func(r source) string {
			return r.list(", ", func(r source) string { return "worker-" + r.number(30) })
		}},
		{"link %s is down", func(r source) string { return r.groups(6, 2, ":") }},
		{"link %s is down", func(r source) string { return r.groups(6, 2, "-") }},
		{"link %s is down", func(r source) string { return r.groups(3, 4, ".") }},
		{"key %s is unknown", func(r source) string { return r.groups(16, 2, ":") }},
		{"took %s", source.duration},
		{"took (%s) to start", source.duration},
		{"limit is %s", source.size},
		{"cpu %s requested", func(r source) string { return r.pick("500m", "2", "0.5", "1.25") }},
		{"disk %s full", func(r source) string {
			return r.pick("91%", "97.5%", "100 %", "3.1e+01%", "115.2n%", "-1.2k%", "+Inf%", "NaN%")
		}},
		{"delta is %s", func(r source) string { return r.pick("-12", "+3", "7", "1,024", "-0.5", "1.5e-9", "NaN", "+Inf") }},
		{"%s retry failed", func(r source) string { return r.pick("1st", "2nd", "3rd", "14th") }},
		{"error: %s rows rejected", func(r source) string { return r.pick("3221225477", r.number(99999)) }},
		{"exited after %s", func(r source) string { return r.pick("3221225477 bytes", "1712345678 bytes") }},
		{"status: %s replicas ready", func(r source) string { return r.number(9) + "/" + r.number(9) }},
		{"ERROR %s worker.pool is empty", func(r source) string { return r.number(65536) }},
		{"Failed password for %s from 10.0.0.1 port 22", func(r source) string { return r.pick("root", "bob", "carol", "j.smith") }},
		{"trace=%s is lost", func(r source) string { return r.from(lowerHex, 16) }},
		{`{"nonce":"%s"}`, func(r source) string { return r.from(base62, 22) }},
		{`{"remote":"%s"}`, func(r source) string { return r.pick("10.0.0.1:443", "db.lan", "web, cache", "DESKTOP-A9") }},
		{`{"owner":"%s"}`, func(r source) string { return r.pick("bob", "Jane Doe", "carol@example.com", "fred") }},
		{"sudo: %s : command not allowed", func(r source) string { return r.pick("root", "bob.smith", "carol") }},
		{"container redis%s-proxy failed", func(r source) string { return r.number(99) }},
		{"login of user=%s denied", func(r source) string { return r.pick("bob", "carol", "svc-deploy") }},
		{"mail to <%s> bounced", func(r source) string { return r.pick("bob@example.com", "a9.b@mail.example.org") }},
		{"no space on /home/%s/data", func(r source) string { return r.pick("bob", "carol") }},
		{"GET /users/%s/orders failed", func(r source) string { return r.pick("17", "bob", r.uuid()) }},
		{"no space on /dev/%s", func(r source) string { return r.pick("sda1", "sdb", "nvme0n1p2", "xvdba", "vdc3") }},
		{"GET /orders/%s 500", func(r source) string { return r.pick("17", "404", r.uuid()) }},
		{"POST /orders/7 503 %s", source.duration},
		{"GET /x?q=%s failed", func(r source) string { return r.pick("red+shoes&page=2", "hat&page=17", "a9f&page=3") }},
		{"agent v%s is old", func(r source) string { return r.pick("1.28.3", "1.30", "2.0.0") }},
		{"heap -Xmx%s is small", func(r source) string { return r.pick("512m", "2g", "8192M") }},
		{"at com.acme.Pool$$Lambda$%s.run", func(r source) string { return r.number(999) + "/0x" + r.from(lowerHex, 16) }},
		{"[T%s] is stuck", func(r source) string { return r.number(99) }},
		{"第%s次重试失败", func(r source) string { return r.number(99) }},
		{"使用率%s％", func(r source) string { return r.pick("９１", "97", "٣") }},
	}
	for _, layout := range []string{
		time.RFC3339, time.RFC3339Nano, time.RFC1123, time.RFC1123Z, time.RFC850, time.ANSIC, time.UnixDate, time.RFC822, time.Stamp, time.DateTime, time.DateOnly,
		"02/Jan/2006:15:04:05 -0700", "2006/01/02 15:04:05", "2006-01-02 15:04:05,000", "1/2/2006 3:04:05 PM", "02.01.2006 15:04:05", "January 2, 2006",
		"2006-01-02 15:04:05.000000 -0700 MST", "20060102T150405Z", "2006_01_02_15_04_05", "3:04PM", "15:04", "2006-01",
	} {
		slots = append(slots, struct {
			text string
			draw func(source) string
		}{"backup of %s is missing", func(r source) string { return r.time(layout) }})
	}
	r := newSource(1)
	for _, slot := range slots {
		first := Normalize(fmt.Sprintf(slot.text, slot.draw(r)))
		for range 200 {
			text := fmt.Sprintf(slot.text, slot.draw(r))
			if got := Normalize(text); got != first {
				t.Errorf("%q: %q, another draw %q", text, got, first)
				break
			}
		}
	}
}

// TestRandomIdentifiers checks the odds that the form alone, without a label, shows that an
// identifier is random, and that words and names do not look random.
func TestRandomIdentifiers(t *testing.T) {
	t.Parallel()
	const draws = 2000
	tests := []struct {
		name     string
		draw     func(source) string
		smallest float64 // fraction of draws that are recognized
	}{
		{"base62 of 11", func(r source) string { return r.from(base62, 11) }, 0.95},
		{"base62 of 16", func(r source) string { return r.from(base62, 16) }, 0.98},
		{"base62 of 22", func(r source) string { return r.from(base62, 22) }, 0.99},
		{"base62 of 27", func(r source) string { return r.from(base62, 27) }, 0.99},
		{"base64 of 43", func(r source) string { return r.from(base62+"+/", 43) }, 0.97},
		{"nanoid", func(r source) string { return r.from(base62+"-_", 21) }, 0.96},
		{"cuid", func(r source) string { return "c" + r.from(base36, 24) }, 0.98},
		{"base32 of 26", func(r source) string { return r.from(base32, 26) }, 0.98},
		{"hexadecimal of 8", func(r source) string { return r.from(lowerHex, 8) }, 1},
		{"lower case of 20", func(r source) string { return r.from("abcdefghijklmnopqrstuvwxyz", 20) }, 0.95},
	}
	r := newSource(2)
	for _, tt := range tests {
		found := 0
		for range draws {
			if Normalize("value "+tt.draw(r)+" lost") == "value <n> lost" {
				found++
			}
		}
		if got := float64(found) / draws; got < tt.smallest {
			t.Errorf("%s: %.3f recognized, want %.3f", tt.name, got, tt.smallest)
		}
	}
	for word := range strings.FieldsSeq(`
		KubePodCrashLooping CrashLoopBackOff ErrImagePull OOMKilled NXDOMAIN PostgreSQL GraphQLError S3GetObject403 S3Bucket4xxErrors
		Http500ErrorRate RDS1Failover2Replica ElastiCache1Failover2Replica Error404OnCheckout LinkedBlockingQueue TaskAttemptListenerImpl
		Log4jLoggerAdapter NettyBlockTransferService xmlhttprequest libqqwing kubectl sshd_config nginx-ingress-controller cert-manager-webhook
		logs2metrics-exporter fail2ban.service kube2iam_down mysqlclient ntpsec-ntpdate hwloc-nox dpkg-www zsh-syntax-highlighting
		libxlsxwriter-dev TargetTracking-table AlarmHigh INTERNALSERVERERROR x509v3`) {
		if got := Normalize("value " + word + " lost"); got != "value "+word+" lost" {
			t.Errorf("%s: %q", word, got)
		}
	}
}

// TestIncidentsStayApart checks that no two of the values of a slot that tell incidents apart share
// a signature.
func TestIncidentsStayApart(t *testing.T) {
	t.Parallel()
	const (
		exits    = "1 2 126 127 137 139 143 255"
		statuses = "400 401 403 404 409 429 500 502 503 504"
		errnos   = "2 5 13 28 110 111"
	)
	tests := []struct{ texts, values string }{ // texts are separated by |; %s is the slot
		{"exit code %s|exit status: %s|exited with %s|ret=%s|rc=%s|exitCode=%s|\"exitCode\":%s|job failed (exit %s)|Exit Code: %s after 3 restarts", exits},
		{"killed by signal %s|signal: %s", "6 9 11 15"},
		{"HTTP %s|HTTP/1.1 %s|(HTTP %s)|statuscode: %s|http_status=%s|returned a %s|got %s|GET /x %s in 12ms|GET /orders/123 %s|POST /v1/users/77/orders/8 %s 12ms|POST /api/v1/write %s 12ms|\"GET /x?q=1&page=2\" %s|\"GET /x/7 HTTP/1.1\" %s 157|HTTPError: %s Client|code:%s", statuses},
		{"api_%sErrors|%s Service Unavailable|too many %s errors|http_%s_errors", statuses},
		{"errno %s|errno=%s|[Errno %s]|os error %s|curl: (%s)|error -%s|connect failed (%s: x)|Event ID %s|code = %s", errnos},
		{"SQLSTATE %s|SQLSTATE[%s]", "23505 40001 42P01 57014"},
		{"Error %s: failed|ERROR %s (40001): failed|mysql error %s|Error Code: %s", "1045 1062 1205 1213"},
		{"SQLCODE %s|SQLCODE=%s|JSON-RPC error %s", "-803 -911 -32601"},
		{"exit code %s|HRESULT: %s|exited with %s|exit status %s", "-1073741819 -1073740791 3221225477 -2147024891 -2147024894"},
		{"failed with %s|HRESULT %s", "0x80070005 0x80004005 0xc0000005"},
		{"%s raised", "ORA-00942 ORA-12541 TNS-12541 CS0103 E11000 E11600 IB3001E S0C7 S0C4 AADSTS50034 AADSTS700016 CVE-2021-44228 CVE-2022-22965 4xx 5xx"},
		{"%s 5.1.1 rejected", "550 551 553"},
		{"websocket closed %s|close code %s", "1000 1006 1011"},
		{"%s is down|no %s here", "redis-0.a.svc.local kafka-0.a.svc.local node.k8s.io topology.k8s.io a.example.com b.example.com index2.php admin2.php c5.xlarge m5.xlarge " +
			"gateway-http2 gateway-grpc2 S3GetObject403 S3PutObject403 L4 L7 IPv4 IPv6 ext3 ext4 p50 p99 gp2 gp3 OAuth1 OAuth2 SMBv1 SMBv3 TLSv1.2 TLSv1.3 " +
			"AES128 AES256 md5 sha512 RS256 HS256 A100 H100 n8n k3d logs2metrics logs2traces api_4xx_ratio api_5xx_ratio"},
		{"TLS %s refused", "1.0 1.1 1.2 1.3"},
		{`{"trace":"%s"}|hash=%s|trace=%s|commit=%s`, "OutOfMemory Deadlock mismatch on off"},
		{`{"remote":"%s by policy"}|instance="%s by policy"|{"account":"%s by policy"}|host='%s by policy'`, "rejected accepted closed disk"},
		{`{"account":"%s"}|login=%s|"user":"%s"|node=%s|"host":"%s"`, "suspended closed failed succeeded"},
		{`node=%s|{"node":"%s"}`, "NotReady Unreachable Ready SchedulingDisabled"},
		{"container %s5-proxy failed|session %s12 is lost", "redis kafka gateway"},
		{"dial tcp 10.1.1.1:%s: refused|GET http://10.1.1.1:%s/x failed", "80 443 3306 9092"},
		{"Bugcheck %s", "0x0000007B 0x0000007E 0x0000009F"},
		{"update user %s|error reading user %s|timeout of user %s from ldap", "profile permissions roles"},
		{"pod %s-7d9f8b6c5d-x2k4j crashed|service %s is gone|claim data-%s-0 is lost|secret \"%s\" not found", "web cart node-exporter"},
	}
	for _, tt := range tests {
		for text := range strings.SplitSeq(tt.texts, "|") {
			seen := map[string]string{}
			for value := range strings.FieldsSeq(tt.values) {
				normal := Normalize(fmt.Sprintf(text, value))
				if other, ok := seen[normal]; ok {
					t.Errorf("%q: %s and %s are %q", text, other, value, normal)
				}
				seen[normal] = value
			}
		}
	}
}
