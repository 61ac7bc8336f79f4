package sigv4

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"
)

// service is the name under which API Gateway verifies the signatures of requests to an API.
const service = "execute-api"

// ErrNoRegion means that neither the URL nor the AWS settings have a region to sign for.
var ErrNoRegion = errors.New("no region to sign for: set AWS_REGION, or region in the profile")

// Signer signs requests to one API. It is safe for concurrent use, and never prints credentials.
type Signer struct {
	region      string
	source      credentialSource
	credentials aws.CredentialsProvider
	signer      *v4.Signer
}

// Load returns a signer for the API at baseURL with the settings of the AWS SDK, as config.LoadDefaultConfig reads them with
// the options. It retrieves no credentials yet.
//
// The region is that of the URL, if API Gateway has assigned it (see RegionOf), else that of the settings, else Load
// returns ErrNoRegion. Where the settings have no region, STS is called in the URL's.
func Load(ctx context.Context, baseURL string, options ...func(*config.LoadOptions) error) (*Signer, error) {
	region, _ := RegionOf(baseURL)
	options = append([]func(*config.LoadOptions) error{config.WithDefaultRegion(region)}, options...)
	settings, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("sigv4: read the AWS settings: %w", err)
	}
	return New(baseURL, settings)
}

// New is Load with settings that are loaded already, of which it uses Region and Credentials.
func New(baseURL string, settings aws.Config) (*Signer, error) {
	if settings.Credentials == nil {
		return nil, errors.New("sigv4: the settings have no Credentials")
	}
	region, assigned := RegionOf(baseURL)
	if !assigned {
		region = settings.Region
	}
	if region == "" {
		return nil, fmt.Errorf("sigv4: %w", ErrNoRegion)
	}
	return &Signer{
		region: region, source: newCredentialSource(settings), credentials: settings.Credentials, signer: v4.NewSigner(),
	}, nil
}

// Sign is a client.Signer: it adds the time, the session token and the signature to a request with the body. The error of
// failed credentials is a *CredentialsError.
//
// The signature covers the path encoded once more than it is sent, as API Gateway verifies it.
func (s *Signer) Sign(ctx context.Context, request *http.Request, body []byte) error {
	credentials, err := s.credentials.Retrieve(ctx)
	if err != nil {
		return s.source.explainFailure(ctx, err)
	}
	hash := sha256.Sum256(body)
	return s.signer.SignHTTP(ctx, credentials, request, hex.EncodeToString(hash[:]), service, s.region, time.Now())
}

// String returns whose credentials sign and for which region, such as: profile "dev", region eu-central-1.
func (s *Signer) String() string { return s.source.description + ", region " + s.region }
