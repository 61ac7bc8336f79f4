package lexical_test

import (
	"strings"
	"testing"

	"github.com/datastorage-service/datastorage/internal/lexical"
)

// BenchmarkAnalyze prints how fast texts become terms.
func BenchmarkAnalyze(b *testing.B) {
	for name, text := range map[string]string{
		"ascii": "KubePodCrashLooping\nincrease_memory_limit\ndeployment\n" + strings.Repeat("Back-off <duration> restarting failed container checkout in pod "+
			"checkout-<pod>_shop: exit code 137 (OOMKilled), see https://runbooks.example.com/KubePodCrashLooping for what to do\n", 4),
		"cjk": strings.Repeat("磁盘空间不足：节点上的容器无法写入日志，请清理旧的镜像\n", 16),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				lexical.Analyze(text)
			}
		})
	}
}
