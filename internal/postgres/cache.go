package postgres

import (
	"sync"
	"time"

	"github.com/datastorage-service/datastorage/internal/postgres/internal/dbsqlc"
)

// modelsTTL is how long the list of models is cached. A switch of the active model takes effect
// within it.
const modelsTTL = 5 * time.Second

// cache holds database content that rarely changes. The stores that WithModel returns share it.
type cache struct {
	mu           sync.Mutex // guards the fields below
	cursorKey    []byte
	models       []dbsqlc.EmbeddingModel
	modelsReadAt time.Time
}

func (c *cache) cachedCursorKey() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cursorKey
}

func (c *cache) cacheCursorKey(key []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cursorKey = key
}

// cachedModels returns nil if the list was never read or is older than modelsTTL.
func (c *cache) cachedModels() []dbsqlc.EmbeddingModel {
	c.mu.Lock()
	defer c.mu.Unlock()
	if age := wallClock().Sub(c.modelsReadAt); age < 0 || age > modelsTTL {
		return nil
	}
	return c.models
}

func (c *cache) cacheModels(models []dbsqlc.EmbeddingModel) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.models, c.modelsReadAt = models, wallClock()
}

func (c *cache) dropModels() { c.cacheModels(nil) }

// wallClock returns the time without its monotonic reading, because the monotonic clock may stop
// while Lambda freezes the sandbox.
func wallClock() time.Time { return time.Now().Round(0) }
