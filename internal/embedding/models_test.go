package embedding_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/datastorage-service/datastorage/internal/embedding"
)

func TestModels(t *testing.T) {
	t.Parallel()
	hashing := func(dimensions int) embedding.Settings {
		return embedding.Settings{Provider: "hashing", Dimensions: dimensions}
	}
	models, err := embedding.OpenModels(t.Context(), hashing(64), hashing(128))
	if err != nil {
		t.Fatal(err)
	}
	active := func(name string, err error) (*embedding.Embedder, error) {
		return models.Active(t.Context(), func(context.Context) (string, error) { return name, err })
	}
	for i, name := range []string{"hash-word-char35-v1@64", "hash-word-char35-v1@128"} {
		if e, err := active(name, nil); err != nil || e != models[i] {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := active("other@8", nil); !errors.Is(err, embedding.ErrUnavailable) || !strings.Contains(err.Error(), "other@8") {
		t.Errorf("without a provider: %v", err)
	}
	errAway := errors.New("away")
	if _, err := active("", errAway); !errors.Is(err, errAway) {
		t.Errorf("the database is down: %v", err)
	}
	if one, err := embedding.OpenModels(t.Context(), hashing(64), embedding.Settings{}); err != nil || len(one) != 1 {
		t.Errorf("without a next one: %v, %v", one, err)
	}
	for name, next := range map[string]embedding.Settings{"the same model": hashing(64), "no provider": {Provider: "none"}} {
		if _, err := embedding.OpenModels(t.Context(), hashing(64), next); err == nil || !strings.HasPrefix(err.Error(), "next provider: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if embedding.Models(nil).Validate() == nil || (embedding.Models{nil}).Validate() == nil || models.Validate() != nil {
		t.Error("Validate")
	}
}
