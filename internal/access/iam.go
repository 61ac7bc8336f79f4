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

// iam signs a token for each connection. One is good for 15 minutes (Amazon RDS User Guide, "IAM database authentication"), signing costs no call, and
// a connection that stands outlives its token; so none is kept.
type iam struct {
	region      string
	credentials aws.CredentialsProvider
}

func (i iam) introduce(ctx context.Context, conn *pgx.ConnConfig) error {
	endpoint := net.JoinHostPort(conn.Host, strconv.Itoa(int(conn.Port)))
	token, err := auth.BuildAuthToken(ctx, endpoint, i.region, conn.User, i.credentials)
	if err != nil {
		return fmt.Errorf("sign a token for the database: %w: %w", audit.ErrUnavailable, err)
	}
	conn.Password = token
	return nil
}
