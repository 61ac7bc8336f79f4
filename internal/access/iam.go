package access

import (
	"context"
	"fmt"
	"net"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/rds/auth"
	"github.com/jackc/pgx/v5"

	"github.com/datastorage-service/datastorage/internal/audit"
)

// iamCredentials authenticates each connection with a new token. A token is valid for 15 minutes (Amazon
// RDS User Guide, "IAM database authentication"), and an open connection outlives it. Signing makes
// no network call, so tokens are not cached.
type iamCredentials struct {
	region      string
	credentials aws.CredentialsProvider
}

func (t iamCredentials) authenticate(ctx context.Context, conn *pgx.ConnConfig) error {
	endpoint := net.JoinHostPort(conn.Host, strconv.Itoa(int(conn.Port)))
	token, err := auth.BuildAuthToken(ctx, endpoint, t.region, conn.User, t.credentials)
	if err != nil {
		return fmt.Errorf("sign a token for the database: %w: %w", audit.ErrUnavailable, err)
	}
	conn.Password = token
	return nil
}
