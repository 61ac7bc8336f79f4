package signature

import (
	"strings"
	"unicode"

	"github.com/datastorage-service/datastorage/internal/ascii"
)

// isOrdinal reports whether p is an ordinal such as 1st, 2nd, 3rd or 99th.
func isOrdinal(p string) bool {
	digits := ascii.PrefixLen(p, ascii.IsDigit)
	switch strings.ToLower(p[digits:]) {
	case "st", "nd", "rd", "th":
		return digits > 0
	}
	return false
}

// isHumps reports whether p is a mixed-case word such as the name of a class or an alert.
func isHumps(p string) bool {
	rest := strings.TrimLeftFunc(p, unicode.IsUpper)
	return strings.ContainsFunc(rest, unicode.IsLower) && strings.ContainsFunc(rest, unicode.IsUpper)
}

// isTechnicalWord reports whether the digits of the word p are part of its name wherever it stands.
// Elsewhere only whole words keep their digits.
func isTechnicalWord(p string) bool {
	const longest = 8
	if len(p) > longest {
		return false
	}
	switch strings.ToLower(p) {
	case "ipv4", "ipv6", "sha1", "sha256", "sha512", "sha224", "sha384", "md4", "md5", "utf8", "utf16", "utf32", "utf8mb4", "base64", "base32", "crc32", "x86", "x64",
		"i386", "i486", "i586", "i686", "amd64", "arm64", "aarch64", "armv7", "armv8", "s390x", "ppc64le", "h2", "h2c", "http1", "http2", "http3", "k8s", "k3s", "s3", "ec2",
		"ext2", "ext3", "ext4", "oauth1", "oauth2", "log4j", "log4j2", "slf4j", "ssh1", "ssh2", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32",
		"uint64", "float32", "float64", "win32", "win64", "l2", "l3", "l4", "l7", "v1alpha1", "v1alpha2", "v1beta1", "v1beta2", "v1beta3", "v2beta1", "v2beta2", "v2alpha1",
		"e2e", "neo4j", "b64", "x509", "rfc3339", "1xx", "2xx", "3xx", "4xx", "5xx", "route53", "db2", "etcd2",
		"etcd3", "python2", "python3", "nfs3", "nfs4", "nfsv3", "nfsv4", "smb1", "smb2", "smb3", "smbv1", "smbv2", "smbv3", "cgroup1", "cgroup2", "cgroupv1", "cgroupv2",
		"layer2", "layer3", "layer4", "layer7", "i2c", "i18n", "l10n", "ed25519", "ed448", "tls1", "ssl2", "ssl3", "raid0", "raid1", "raid5", "raid6", "raid10":
		return true
	}
	return false
}

// isPercentile reports whether p names a percentile.
func isPercentile(p string) bool {
	switch p {
	case "p50", "p75", "p90", "p95", "p98", "p99", "p999":
		return true
	}
	return false
}

// isAbbreviation reports whether a word of five characters of the alphabet of pods is an
// abbreviation, possibly with a digit, and not a random suffix.
func isAbbreviation(p string) bool {
	if ascii.IsDigit(p[3]) {
		return false
	}
	switch strings.TrimRight(strings.ToLower(p), "0123456789") {
	case "https", "xhtml", "wbxml", "btrfs", "tmpfs", "rpcbd", "pgsql", "mssql", "sqldf", "tcpdf", "rbpdf", "dnssd", "snmpd", "smtpd", "smtps", "tftpd", "vsftp",
		"grpc", "http", "html", "dtls", "smtp", "sctp", "snmp", "dhcp", "sftp", "tftp", "mqtt", "rtmp", "rtsp", "pkcs", "ntfs", "nfsd", "hdfs", "pcsc", "llvm", "wsdl",
		"xslt", "zstd", "rcpp", "lldp", "rsvp", "pptp", "cgrp":
		return true
	}
	return false
}

// protocolLength returns the length of a protocol with its version, such as TLSv1.2, at the start of s,
// or 0.
func protocolLength(s string) int {
	if s == "" || strings.IndexByte("tsdTSD", s[0]) < 0 {
		return 0
	}
	n := ascii.PrefixLen(s[:min(len(s), len("dtlsv"))], isLetter)
	switch strings.ToLower(s[:n]) {
	case "tls", "tlsv", "ssl", "sslv", "dtls", "dtlsv":
		return n + numberLength(s[n:])
	}
	return 0
}

// isProtocol reports whether a number after the word is the version of a protocol.
func isProtocol(stem string) bool {
	switch strings.ToLower(stem) {
	case "tls", "tlsv", "ssl", "sslv", "dtls", "dtlsv", "smb", "smbv", "nfs", "nfsv", "ip", "ipv", "http", "oauth", "snmpv", "igmpv", "bgp", "md", "sha":
		return true
	}
	return false
}

// isInstanceNoun reports whether numbers are appended to the word to tell instances apart, so that
// they vary even where the word stands alone: worker12, eth0.
func isInstanceNoun(word string) bool {
	switch word {
	case "node", "worker", "host", "web", "app", "db", "srv", "server", "vm", "esx", "esxi", "master", "slave", "agent", "broker", "peer", "member", "client",
		"instance", "container", "pod", "job", "task", "run", "thread", "exec", "proc", "process", "pid", "tid", "cpu", "core", "gpu", "disk", "volume", "vol", "device",
		"eth", "ens", "eno", "enp", "wlan", "bond", "br", "tun", "tap", "veth", "vlan", "lo", "interface", "iface", "nic", "port", "dm", "loop", "tty", "pts", "vcs", "vcsa",
		"shard", "replica", "partition", "slot", "queue", "pool", "zone", "rack", "row", "lane", "lun", "osd", "ost", "mon", "mds", "slab", "bank", "channel",
		"stage", "step", "attempt", "try", "batch", "chunk", "block", "page", "line", "item", "test", "cluster", "site", "region", "dc", "datacenter", "stack", "unit",
		"x", "num", "rev", "v", "build", "backend", "upstream", "target", "hypervisor", "machine", "kubelet", "session", "conn", "connection", "fan", "psu", "sensor", "temp",
		"cam", "room", "user", "customer", "tenant", "account", "store", "shop", "printer", "switch", "sw", "router", "rtr", "fw", "ap", "lb", "cache", "mq", "redis", "kafka", "es", "zk", "proxy", "gw", "gateway":
		return true
	}
	return false
}

// isDiskName reports whether the word is the name of a disk or a partition in Linux: sda, xvdf1,
// nvme0n1p2.
func isDiskName(word string) bool {
	if len(word) < len("sda") || strings.IndexByte("svxn", word[0]) < 0 {
		return false
	}
	name := strings.TrimRight(word, "0123456789")
	for _, driver := range [...]string{"sd", "vd", "xvd"} {
		if letters, ok := strings.CutPrefix(name, driver); ok && len(letters) >= 1 && len(letters) <= 2 {
			return ascii.PrefixLen(letters, ascii.IsLower) == len(letters)
		}
	}
	return strings.HasPrefix(word, "nvme") && len(word) > len("nvme") && ascii.IsDigit(word[len("nvme")])
}

// isUnmistakableDisk reports whether a word that is the name of a disk cannot be another word, such
// as sdk.
func isUnmistakableDisk(word string) bool {
	last := word[len(word)-1]
	return ascii.IsDigit(last) || last <= 'g' && (len(word) == len("sda") || len(word) == len("xvda") && word[0] == 'x')
}

// isStateWord reports whether the word says how something is or how it ended, and so is no name.
func isStateWord(word string) bool {
	switch strings.ToLower(word) {
	case "on", "off", "up", "down", "yes", "no", "ok", "bad", "good", "ready", "notready", "busy", "idle", "online", "offline", "alive", "dead", "lost",
		"healthy", "unhealthy", "degraded", "reachable", "unreachable", "available", "unavailable", "active", "inactive", "pending", "running", "starting",
		"stopped", "stopping", "draining", "missing", "valid", "invalid", "mismatch", "empty", "full", "new", "open", "timeout", "success", "failure", "error",
		"failed", "succeeded", "denied", "allowed", "rejected", "accepted", "refused", "closed", "locked", "unlocked", "disabled", "enabled", "suspended",
		"expired", "blocked", "banned", "deleted", "removed", "terminated", "killed", "crashed", "drained", "cordoned", "evicted", "rebooted", "paused",
		"connected", "disconnected", "changed", "revoked", "forbidden", "unauthorized", "overdue", "delinquent", "unverified", "verified", "overloaded":
		return true
	}
	return false
}
